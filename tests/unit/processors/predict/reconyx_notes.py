"""Makes Reconyx maker notes byte by byte."""

import struct


def _write_in_words(
    note: bytearray,
    at: int,
    trigger: bytes,
    sequence: tuple[int, int],
    event: int,
    time: tuple[int, ...],
    celsius: int,
) -> None:
    """The block from the trigger on, as HyperFire, HyperFire 2 and MicroFire have it: 16-bit numbers."""
    note[at : at + len(trigger)] = trigger
    struct.pack_into("<HHHH", note, at + 2, *sequence, event >> 16, event & 0xFFFF)
    struct.pack_into("<6H", note, at + 10, *time)
    struct.pack_into("<hh", note, at + 26, celsius * 9 // 5 + 32, celsius)


def _write_in_bytes(
    note: bytearray,
    at: int,
    trigger: bytes,
    sequence: tuple[int, int],
    event: int,
    time: tuple[int, ...],
    celsius: int,
) -> None:
    """The same block as UltraFire and HyperFire 4K have it: mostly bytes."""
    note[at : at + len(trigger)] = trigger
    struct.pack_into("<2BI", note, at + 1, *sequence, event)
    struct.pack_into("<5BH", note, at + 7, *time)
    struct.pack_into("<hh", note, at + 16, celsius * 9 // 5 + 32, celsius)


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
    _write_in_words(note, 0x0C, trigger, sequence, event, time, celsius)
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
    _write_in_words(note, 0x34, trigger, sequence, event, time, celsius)
    struct.pack_into("<H", note, 0x5A, infrared)
    note[0x7E : 0x7E + 2 * len(serial)] = serial.encode("utf-16-le")
    return bytes(note)


def micro_fire(
    trigger: bytes = b"M",
    sequence: tuple[int, int] = (2, 3),
    event: int = 77,
    time: tuple[int, ...] = (4, 21, 14, 9, 26, 2024),
    celsius: int = 16,
    infrared: int = 0,
    serial: str = "MF1XAM06043616",
) -> bytes:
    """`time` is second, minute, hour, month, day, year."""
    note = bytearray(200)
    note[:10] = b"RECONYXMF\0"
    _write_in_words(note, 0x44, trigger, sequence, event, time, celsius)
    note[0x6A] = infrared
    note[0x8C : 0x8C + 2 * len(serial)] = serial.encode("utf-16-le")
    return bytes(note)


def ultra_fire(
    trigger: bytes = b"M",
    sequence: tuple[int, int] = (2, 3),
    event: int = 77,
    time: tuple[int, ...] = (4, 21, 14, 26, 9, 2024),
    celsius: int = 16,
    infrared: int = 0,
    serial: str = "UF0000000000001",
) -> bytes:
    """`time` is second, minute, hour, day, month, year; of 15 bytes, the serial number has no end of its own."""
    note = bytearray(0x70)
    note[:10] = b"RECONYXUF\0"
    _write_in_bytes(note, 0x34, trigger, sequence, event, time, celsius)
    note[0x48] = infrared
    note[0x4B : 0x4B + len(serial)] = serial.encode()[:15]
    return bytes(note)


def hyperfire_4k(
    trigger: bytes = b"M",
    sequence: tuple[int, int] = (2, 3),
    event: int = 77,
    time: tuple[int, ...] = (4, 21, 14, 26, 9, 2024),
    celsius: int = 16,
    infrared: int = 0,
    serial: str = "HF4K00000000001",
) -> bytes:
    """`time` is second, minute, hour, day, month, year."""
    note = bytearray(0xC0)
    note[:12] = b"RECONYXHF4K\0"
    _write_in_bytes(note, 0x28, trigger, sequence, event, time, celsius)
    note[0x44] = infrared
    note[0x84 : 0x84 + len(serial)] = serial.encode()[:15]
    return bytes(note)
