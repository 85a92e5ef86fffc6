"""The built files over HTTP, compressed at build time (`frontend/compress.mjs`)."""

from typing import Final

from flask import Flask, Response, request, send_from_directory

from .assets import URL, Assets

#: Content encodings the build leaves beside a file, best first.
ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}


def init_app(app: Flask, assets: Assets) -> None:
    """Serve the built files at /static/, in place of Flask's own route there."""

    def static_file(filename: str) -> Response:
        folder = assets.static
        for encoding, ending in ENCODINGS.items():
            if request.accept_encodings[encoding] and (folder / (filename + ending)).is_file():
                response = send_from_directory(folder, filename + ending)
                plain = app.make_response(response)
                plain.mimetype = content_type(filename)
                plain.headers["Content-Encoding"] = encoding
                break
        else:
            plain = app.make_response(send_from_directory(folder, filename))
        plain.headers["Vary"] = "Accept-Encoding"
        return plain

    if "static" in app.view_functions:
        app.view_functions["static"] = static_file
    else:
        app.add_url_rule(f"{URL}<path:filename>", "static", static_file)


def content_type(filename: str) -> str:
    """The media type of a built file; the build makes few kinds."""
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    ending = filename[filename.rfind(".") :]
    return kinds.get(ending, "application/octet-stream")
