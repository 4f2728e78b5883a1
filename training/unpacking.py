"""Compressed files, unpacked while they are read and within bounds, so that a small file cannot fill the machine."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

import zstandard

from training.errors import Fault, Invalid

MAX_BYTES = 2 * 1024**3  # of what a file holds
MAX_RATIO = 200  # times the size of the file itself; a bound that bites only after FREE_BYTES
FREE_BYTES = 1024**2
BLOCK_BYTES = 64 * 1024
ZSTD_INPUT_BYTES = 1024  # at a time: each may become 32 MiB
ZSTD_WINDOW_BYTES = 64 * 1024**2  # of memory that a frame may ask for; levels up to 21 ask for less


def unpack(stream: BinaryIO, extension: str) -> io.BufferedReader:
    """What the compressed file `stream` holds; `extension` is a key of PACKED.

    Its reads raise Invalid: `compressed` where the file is broken, cut short or another kind of file, `too_large`
    where it holds more than MAX_BYTES or MAX_RATIO times its size.
    """
    return io.BufferedReader(_Unpacked(PACKED[extension](stream), stream), BLOCK_BYTES)


class _Unpacked(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes], stream: BinaryIO):
        self._pieces, self._stream = pieces, stream
        self._left, self._total = memoryview(b""), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def, override]
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
            self._total += len(piece)
            self._check()
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size

    def _check(self) -> None:
        if self._total > MAX_BYTES:
            message = f"holds more than {MAX_BYTES // 1024**3} GiB; split it, or import it unpacked"
        elif self._total > max(FREE_BYTES, MAX_RATIO * self._stream.tell()):
            message = f"holds more than {MAX_RATIO} times its own size; unpack it yourself if you trust it"
        else:
            return
        raise Invalid(Fault((), message, "too_large"))


def _gzip_pieces(stream: BinaryIO) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=stream) as file:
            while piece := file.read1(BLOCK_BYTES):
                yield piece
    except EOFError:
        raise _cut_short("gzip")
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _broken("gzip", error)


def _zstd_pieces(stream: BinaryIO) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    frame = None
    try:
        while block := stream.read(ZSTD_INPUT_BYTES):
            while block:
                frame = frame or decompressor.decompressobj()
                yield frame.decompress(block)
                block, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    except zstandard.ZstdError as error:
        raise _broken("Zstandard", error)
    if frame:
        raise _cut_short("Zstandard")


def _broken(kind: str, error: Exception) -> Invalid:
    message = f"is no sound {kind} file, whatever its name says ({error}); pack it again"
    return Invalid(Fault((), message, "compressed"))


def _cut_short(kind: str) -> Invalid:
    return Invalid(
        Fault(
            (),
            f"is a {kind} file that breaks off here: what it held beyond was not read; fetch or pack it again",
            "compressed",
        )
    )


PACKED: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {".gz": _gzip_pieces, ".zst": _zstd_pieces}
