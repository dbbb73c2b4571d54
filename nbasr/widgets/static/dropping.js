// What was dropped or chosen: files, folders with all that is in them, links.

/**
 * Return the files of a drop; folders are walked through, their hidden and silent files left out.
 * @param {DataTransfer} transfer
 * @param {(file: File) => boolean} isRecording by name and type
 * @returns {Promise<{files: File[], leftOut: number, link: string}>}
 */
export async function droppedFiles(transfer, isRecording) {
  // A transfer is empty after its event: everything is taken out of it before the first wait.
  const found = { files: [], leftOut: 0, link: firstLink(transfer) };
  const folders = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) folders.push(entry);
    else found.files.push(item.getAsFile());
  }
  for (const folder of folders) sift(await filesWithin(folder), isRecording, found);
  return found;
}

/** The same of a folder that was chosen. */
export function chosenFolder(files, isRecording) {
  const shown = [...files].filter((file) => !/(^|\/)\./.test(file.webkitRelativePath || file.name));
  return sift(shown, isRecording, { files: [], leftOut: 0, link: "" });
}

function sift(files, isRecording, found) {
  for (const file of files) {
    if (isRecording(file)) found.files.push(file);
    else found.leftOut += 1;
  }
  return found;
}

async function filesWithin(folder) {
  const files = [];
  const reader = folder.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return files; // a browser gives a hundred at a time
    for (const entry of some.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }))) {
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory) files.push(...(await filesWithin(entry)));
      else files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    }
  }
}

function firstLink(transfer) {
  const lines = transfer.getData("text/uri-list").split(/\r?\n/);
  return lines.find((line) => /^https?:\/\//i.test(line)) ?? "";
}
