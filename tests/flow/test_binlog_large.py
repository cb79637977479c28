"""Memory of `tailrace binlog` does not depend on the size of what is packed or of an event: transactions and events of
hundreds of megabytes, made here as they are read, through a pipe."""
import ctypes
import os
import pathlib
import random
import re
import struct
import subprocess
import threading
import zlib

import pytest

MB = 1000 * 1000
MOST_MEMORY = 128 * 1024 * 1024
FORMAT, TABLE_MAP, XID, WRITE_ROWS, PAYLOAD, MARIA_WRITE_ROWS_COMPRESSED = 15, 19, 16, 30, 40, 166
TEXT_BYTES = 4000
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ


def event(kind, body, checksum=True):
    data = struct.pack("<IBIIIH", 1700000000, kind, 1, 19 + len(body) + 4 * checksum, 0, 0) + body
    return data + struct.pack("<I", zlib.crc32(data)) if checksum else data


def opening(server):
    lengths = bytearray(171)
    for kind, length in ((2, 13), (TABLE_MAP, 8), (23, 8), (WRITE_ROWS, 10), (MARIA_WRITE_ROWS_COMPRESSED, 8)):
        lengths[kind - 1] = length
    return b"\xfebin" + event(FORMAT, struct.pack("<H50sIB", 4, server, 0, 19) + bytes(lengths) + b"\1")


def table_map():
    """An INT and a VARCHAR in utf8mb4, with names."""
    return (struct.pack("<IHH", 5, 0, 1) + b"\2db\0\1t\0" + b"\2\x03\x0f" + b"\2" + struct.pack("<H", 4 * TEXT_BYTES) +
            b"\0" + b"\2\1\x2d" + b"\4\4\1n\1s")


def rows(count):
    """That many rows in pieces of 64; texts of a piece are new every few pieces, so that they can be packed, but not
    into nothing."""
    rng = random.Random(count)
    texts = []
    for first in range(0, count, 64):
        if first % (64 * 40) == 0:
            texts = [rng.randbytes(TEXT_BYTES // 2).hex().encode() for _ in range(64)]
        yield b"".join(b"\0" + struct.pack("<IH", n, TEXT_BYTES) + texts[n - first]
                       for n in range(first, min(first + 64, count)))


ROW_BYTES = 7 + TEXT_BYTES
HEAD = struct.pack("<IHHH", 5, 0, 1, 2) + b"\2\3"
HEAD_V1 = struct.pack("<IHH", 5, 0, 1) + b"\2\3"


def one_event(count, checksum):
    """All rows in one event, in pieces."""
    size = 19 + len(HEAD) + count * ROW_BYTES + 4 * checksum
    data = struct.pack("<IBIIIH", 1700000000, WRITE_ROWS, 1, size, 0, 0) + HEAD
    crc = zlib.crc32(data)
    yield data
    for piece in rows(count):
        crc = zlib.crc32(piece, crc) if checksum else 0
        yield piece
    if checksum:
        yield struct.pack("<I", crc)


def group(count, checksum):
    """The rows of one statement: half of them in one event, half in events as servers make them by default."""
    yield event(TABLE_MAP, table_map(), checksum)
    yield from one_event(count // 2, checksum)
    for piece in rows(count - count // 2):
        for at in range(0, len(piece), 2 * ROW_BYTES):
            yield event(WRITE_ROWS, HEAD + piece[at:at + 2 * ROW_BYTES], checksum)
    yield event(XID, struct.pack("<Q", 7), checksum)


class Buffer(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


def zstd(pieces):
    """One frame, of which the head does not say the length, as a server streams it."""
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_createCCtx.restype = ctypes.c_void_p
    lib.ZSTD_compressStream2.restype = ctypes.c_size_t
    lib.ZSTD_compressStream2.argtypes = [ctypes.c_void_p, ctypes.POINTER(Buffer), ctypes.POINTER(Buffer), ctypes.c_int]
    lib.ZSTD_freeCCtx.argtypes = [ctypes.c_void_p]
    context, room, made = lib.ZSTD_createCCtx(), ctypes.create_string_buffer(1 << 20), []

    def feed(data, end):
        source = Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
        while True:
            out = Buffer(ctypes.addressof(room), len(room), 0)
            left = lib.ZSTD_compressStream2(context, out, source, 2 if end else 0)
            assert left < 1 << 40  # otherwise an error
            made.append(room.raw[:out.pos])
            if source.pos == len(data) and (left == 0 or not end):
                return

    for piece in pieces:
        feed(piece, False)
    feed(b"", True)
    lib.ZSTD_freeCCtx(context)
    return b"".join(made)


def packed(count):
    def field(number, value):
        return bytes([number, 9, 254]) + struct.pack("<Q", value)

    data = zstd(group(count, checksum=False))
    assert len(data) > 2 * MB  # so that it has to be walked too
    yield event(PAYLOAD, field(1, len(data)) + field(2, 0) + b"\0" + data)


def compressed(count):
    """MariaDB: one event, packed by zlib."""
    z = zlib.compressobj(1)
    data = b"".join([z.compress(p) for p in rows(count)] + [z.flush()])
    yield event(TABLE_MAP, table_map())
    yield event(MARIA_WRITE_ROWS_COMPRESSED, HEAD_V1 + b"\x84" + struct.pack(">I", count * ROW_BYTES) + data)
    yield event(XID, struct.pack("<Q", 7))


def peak(pid):
    found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) * 1024 if found else 0


def read(binary, pieces, *options):
    """Exit code, rows, the last row, peak memory."""
    p = subprocess.Popen([binary, "binlog", "/dev/stdin", "--json", "--table", "db.t", *options], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def write():
        try:
            for piece in pieces:
                p.stdin.write(piece)
            p.stdin.close()
        except BrokenPipeError:  # its error says why
            p.stdin.close()

    writer = threading.Thread(target=write)
    writer.start()
    found, most, tail = 0, 0, b""
    for n, data in enumerate(iter(lambda: p.stdout.read(1 << 16), b"")):
        found += (tail[-4:] + data).count(b'"row"')
        tail = (tail + data)[-2 * TEXT_BYTES:]
        if n % 64 == 0:
            most = max(most, peak(p.pid))
    writer.join()
    errors = p.stderr.read()
    return p.wait(), found, tail.decode(), most, errors


@pytest.mark.skipif(SANITIZED, reason="sanitizers need memory of their own")
@pytest.mark.parametrize("form, version, size", [
    (packed, b"9.7.4", 600 * MB),
    (lambda count: group(count, True), b"9.7.4", 1000 * MB),
    (compressed, b"10.11.18-MariaDB-log", 150 * MB),
], ids=["packed transaction", "group of rows", "compressed event"])
def test_memory_does_not_depend_on_sizes(tailrace, form, version, size):
    count = size // ROW_BYTES

    def pieces():
        yield opening(version)
        yield from form(count)

    code, found, tail, most, errors = read(tailrace.binary, pieces())
    assert code == 0, errors
    last = count - 1 if form is compressed else count - count // 2 - 1
    assert f'"n":{last},' in tail
    assert found == count
    assert 4 * MB < most < MOST_MEMORY
