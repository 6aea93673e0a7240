"""Makes Reconyx maker notes byte by byte."""

import struct


def hyperfire(
    trigger: bytes = b"M",
    sequence: tuple[int, int] = (2, 3),
    event: int = 202,
    time: tuple[int, ...] = (4, 21, 14, 9, 26, 2014),
    celsius: int = 16,
    infrared: int = 0,
    serial: str = "P800BD06104674",
) -> bytes:
    """`time` is second, minute, hour, month, day, year."""
    note = bytearray(160)
    struct.pack_into("<H", note, 0, 0xF101)
    note[0x0C : 0x0C + len(trigger)] = trigger
    struct.pack_into("<HHHH", note, 0x0E, *sequence, event >> 16, event & 0xFFFF)
    struct.pack_into("<6H", note, 0x16, *time)
    struct.pack_into("<hh", note, 0x26, celsius * 9 // 5 + 32, celsius)
    note[0x2A : 0x2A + 2 * len(serial)] = serial.encode("utf-16-le")
    struct.pack_into("<H", note, 0x50, infrared)
    return bytes(note)


def hyperfire_2(
    trigger: bytes = b"M",
    sequence: tuple[int, int] = (1, 10),
    event: int = 4,
    time: tuple[int, ...] = (9, 43, 20, 11, 4, 2021),
    celsius: int = 2,
    infrared: int = 1,
    serial: str = "H2RXEM06043616",
) -> bytes:
    """`time` is second, minute, hour, day, month, year."""
    note = bytearray(200)
    note[:10] = b"RECONYXH2\0"
    note[0x34 : 0x34 + len(trigger)] = trigger
    struct.pack_into("<HHHH", note, 0x36, *sequence, event >> 16, event & 0xFFFF)
    struct.pack_into("<6H", note, 0x3E, *time)
    struct.pack_into("<hh", note, 0x4E, celsius * 9 // 5 + 32, celsius)
    struct.pack_into("<H", note, 0x5A, infrared)
    note[0x7E : 0x7E + 2 * len(serial)] = serial.encode("utf-16-le")
    return bytes(note)
