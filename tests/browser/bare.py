"""A blank page that can import the panels' modules, to call their functions without a notebook."""

from __future__ import annotations

import base64
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from playwright.sync_api import Browser

STATIC = Path(__file__).parent.parent.parent / "nbasr" / "widgets" / "static"

BLANK = b"<!doctype html><html lang=en><meta charset=utf-8><title>nbasr</title><body></body></html>"

ARRAYS = {
    "float32": "Float32Array",
    "float64": "Float64Array",
    "int8": "Int8Array",
    "uint8": "Uint8Array",
    "int16": "Int16Array",
    "uint16": "Uint16Array",
    "int32": "Int32Array",
    "uint32": "Uint32Array",
}
"""NumPy's types of numbers, and JavaScript's arrays of them."""

HELPERS = """
globalThis.nbasrBare = (() => {
  const arrays = ARRAYS;
  const names = Object.fromEntries(Object.entries(arrays).map(([dtype, name]) => [name, dtype]));
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const textOf = (bytes) => {
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) {
      text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    }
    return btoa(text);
  };
  const isPlain = (value) => value !== null && typeof value === "object";
  const decode = (value) => {
    if (Array.isArray(value)) return value.map(decode);
    if (!isPlain(value)) return value;
    if ("$bytes" in value) return new DataView(bytesOf(value.$bytes).buffer);
    if ("$array" in value) return new globalThis[arrays[value.$array]](bytesOf(value.data).buffer);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]));
  };
  const encode = (value) => {
    if (Array.isArray(value)) return value.map(encode);
    if (typeof value === "function") return undefined;
    if (!isPlain(value)) return value;
    if (value instanceof ArrayBuffer) return { $bytes: textOf(new Uint8Array(value)) };
    if (ArrayBuffer.isView(value)) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      const dtype = names[value.constructor.name];
      return dtype ? { $array: dtype, data: textOf(bytes) } : { $bytes: textOf(bytes) };
    }
    if (value instanceof Map || value instanceof Set) return [...value].map(encode);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(item)]));
  };
  const load = (module) => import(`/static/${module}`);
  return { decode, encode, load };
})();
"""


class BarePage:
    """A blank page with the modules of `nbasr/widgets/static` at `/static/`.

    Attributes
    ----------
    page : playwright.sync_api.Page
        The page.
    errors : list of str
        Errors that nobody caught.
    """

    def __init__(self, browser: Browser, folder: Path = STATIC) -> None:
        handler = partial(_Handler, folder)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.errors: list[str] = []
        self.context = browser.new_context(permissions=["microphone"])
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        helpers = HELPERS.replace("ARRAYS", repr(ARRAYS), 1)
        self.page.add_init_script(helpers)
        self.page.goto(self.url)

    def call(self, module: str, function: str, *arguments: Any) -> Any:
        """Call what a module exports; wait for it where it is async.

        Arrays go as typed arrays and come back as arrays, bytes go as a DataView; `None` is null,
        and null and undefined come back as None.
        """
        return self.run(f"return (await load({module!r})).{function}(...rest);", *arguments)

    def run(self, body: str, *arguments: Any) -> Any:
        """Run the body of an async function; it has `load(module)` and the list `rest`.

        Examples
        --------
        >>> page.run("const { a } = await load('x.js'); return a(rest[0]);", 3)  # doctest: +SKIP
        """
        value = self.page.evaluate(
            f"""async (given) => {{
                const {{ decode, encode, load }} = globalThis.nbasrBare;
                const rest = decode(given);
                const answer = await (async () => {{ {body} }})();
                return encode(answer);
            }}""",
            [_encoded(argument) for argument in arguments],
        )
        return _decoded(value)

    def close(self) -> None:
        """Close the page and its server."""
        self.context.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    """Serves the blank page at / and the modules at /static/."""

    protocol_version = "HTTP/1.1"
    extensions_map: ClassVar = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",  # browsers refuse modules of any other type
        ".json": "application/json",
    }

    def __init__(self, folder: Path, *rest: Any) -> None:
        super().__init__(*rest, directory=str(folder))

    def do_GET(self) -> None:
        if self.path.startswith("/static/"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(BLANK)))
        self.end_headers()
        self.wfile.write(BLANK)

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/static"))

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def _encoded(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        if value.dtype.name not in ARRAYS:
            raise TypeError(f"JavaScript has no array of {value.dtype}.")
        return {"$array": value.dtype.name, "data": data}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return np.frombuffer(base64.b64decode(value["data"]), dtype=value["$array"])
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    return {key: _decoded(item) for key, item in value.items()}
