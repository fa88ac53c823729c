"""A file is what its first bytes say, and no small file becomes a great one."""

import gzip
import io
import zipfile

import pytest

from app.domain.errors import FileRefused, FileTooLarge, FormatUnknown
from app.files import compression
from app.files.compression import Counted, packing, unpacked

TEXT = b"5551234567\n" * 1000


class Pipe:
    """A stream that can do no more than be read, and gives little at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1000) if size > 0 else size)


def zipped(*names: str, data: bytes = TEXT) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return file.getvalue()


def read(data: bytes) -> bytes:
    parts = []
    with unpacked(Counted(Pipe(data))) as read_some:
        while part := read_some(4096):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT, id="plain"),
        pytest.param(gzip.compress(TEXT), id="gzip"),
        pytest.param(gzip.compress(TEXT[:11]) + gzip.compress(TEXT[11:]), id="two"),
        pytest.param(zipped("a.txt"), id="zip"),
        pytest.param(zipped("a.txt", "__MACOSX/._a.txt"), id="a Macintosh's zip"),
    ],
)
def test_a_pipe_is_unpacked(data):
    assert read(data) == TEXT


def test_an_empty_file_is_empty():
    assert read(b"") == b""


@pytest.mark.parametrize(
    ("data", "refusal", "words"),
    [
        (gzip.compress(TEXT)[:-20], FileRefused, "not whole"),
        (gzip.compress(TEXT)[:30] + b"broken" * 10, FileRefused, "damaged"),
        (zipped("a.txt")[:-20], FileRefused, "zip archive"),
        (zipped("a.txt", "b.txt"), FormatUnknown, "holds 2"),
        (zipped(), FormatUnknown, "holds 0"),
        (zipped("[Content_Types].xml", "sheet.xml"), FormatUnknown, "as CSV"),
    ],
    ids=["cut", "damaged", "cut-zip", "two-files", "no-file", "spreadsheet"],
)
def test_an_archive_is_refused_that(data, refusal, words):
    with pytest.raises(refusal, match=words):
        read(data)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped("a", data=data)])
def test_a_bomb_is_refused_before_it_goes_off(pack, monkeypatch):
    monkeypatch.setattr(compression, "UNSUSPECTED_SIZE", 100_000)

    with pytest.raises(FileTooLarge, match="200 times"):
        read(pack(bytes(10_000_000)))
    assert len(read(pack(bytes(90_000)))) == 90_000


def test_what_is_written_under_a_name_in_gz_is_compressed():
    for name, unpack in (("a.csv", bytes), ("a.csv.gz", gzip.decompress)):
        file = io.BytesIO()
        with packing(file, name) as write:
            write(TEXT)
        assert unpack(file.getvalue()) == TEXT


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_would_be_unpacked_without_bound_is_refused(method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("numbers.txt", b"5551234567\n")

    with pytest.raises(FormatUnknown, match="deflate"):
        read(file.getvalue())


def test_a_zip_whose_name_is_in_no_encoding_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("n\N{LATIN SMALL LETTER U WITH DIAERESIS}m", b"5551234567\n")
    name = "n\N{LATIN SMALL LETTER U WITH DIAERESIS}m".encode()

    with pytest.raises(FileRefused, match="cannot be read"):
        read(file.getvalue().replace(name, b"n\xff\xffm"))
