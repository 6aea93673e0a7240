# ruff: noqa
# fmt: off
# mypy: disable-error-code="misc,no-untyped-call,type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventNotification(_message.Message):
    __slots__ = ("old_entry", "new_entry", "new_parent_path")
    OLD_ENTRY_FIELD_NUMBER: _ClassVar[int]
    NEW_ENTRY_FIELD_NUMBER: _ClassVar[int]
    NEW_PARENT_PATH_FIELD_NUMBER: _ClassVar[int]
    old_entry: Entry
    new_entry: Entry
    new_parent_path: bytes
    def __init__(self, old_entry: _Optional[_Union[Entry, _Mapping]] = ..., new_entry: _Optional[_Union[Entry, _Mapping]] = ..., new_parent_path: _Optional[bytes] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("name", "is_directory", "chunks", "attributes", "extended")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EXTENDED_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    is_directory: bool
    chunks: _containers.RepeatedCompositeFieldContainer[FileChunk]
    attributes: FuseAttributes
    extended: _containers.RepeatedCompositeFieldContainer[ExtendedAttribute]
    def __init__(self, name: _Optional[bytes] = ..., is_directory: bool = ..., chunks: _Optional[_Iterable[_Union[FileChunk, _Mapping]]] = ..., attributes: _Optional[_Union[FuseAttributes, _Mapping]] = ..., extended: _Optional[_Iterable[_Union[ExtendedAttribute, _Mapping]]] = ...) -> None: ...

class FuseAttributes(_message.Message):
    __slots__ = ("file_size", "mtime", "md5")
    FILE_SIZE_FIELD_NUMBER: _ClassVar[int]
    MTIME_FIELD_NUMBER: _ClassVar[int]
    MD5_FIELD_NUMBER: _ClassVar[int]
    file_size: int
    mtime: int
    md5: bytes
    def __init__(self, file_size: _Optional[int] = ..., mtime: _Optional[int] = ..., md5: _Optional[bytes] = ...) -> None: ...

class FileChunk(_message.Message):
    __slots__ = ("modified_ts_ns", "e_tag")
    MODIFIED_TS_NS_FIELD_NUMBER: _ClassVar[int]
    E_TAG_FIELD_NUMBER: _ClassVar[int]
    modified_ts_ns: int
    e_tag: bytes
    def __init__(self, modified_ts_ns: _Optional[int] = ..., e_tag: _Optional[bytes] = ...) -> None: ...

class ExtendedAttribute(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...
