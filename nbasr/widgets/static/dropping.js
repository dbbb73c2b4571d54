// What was dropped or chosen: files, folders with all that is in them, links.

/**
 * Return the files of a drop; folders are walked through, their hidden and silent files left out.
 * @param {DataTransfer} transfer
 * @param {(file: File) => boolean} isRecording by name and type
 * @returns {Promise<{files: {file: File, name: string}[], leftOut: number, link: string}>} names
 *   have their folders
 */
export async function droppedFiles(transfer, isRecording) {
  // A transfer is empty after its event: everything is taken out of it before the first wait.
  const found = { files: [], leftOut: 0, link: firstLink(transfer) };
  const folders = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) folders.push(entry);
    else {
      const file = item.getAsFile();
      if (file) found.files.push({ file, name: file.name });
    }
  }
  for (const folder of folders) sift(await filesWithin(folder), isRecording, found);
  return found;
}

/** The same of a folder that was chosen. */
export function chosenFolder(files, isRecording) {
  const named = [...files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
  const shown = named.filter(({ name }) => !/(^|\/)\./.test(name));
  return sift(shown, isRecording, { files: [], leftOut: 0, link: "" });
}

function sift(files, isRecording, found) {
  for (const one of files) {
    if (isRecording(one.file)) found.files.push(one);
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
      else {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
        files.push({ file, name: entry.fullPath.replace(/^\//, "") });
      }
    }
  }
}

function firstLink(transfer) {
  const lines = transfer.getData("text/uri-list").split(/\r?\n/);
  return lines.find((line) => /^https?:\/\//i.test(line)) ?? "";
}
