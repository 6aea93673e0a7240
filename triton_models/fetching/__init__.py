"""Fetch models from their publishers: download, check, convert, and write a package.

`catalogue` reads the table of publishers' files, `download` transfers one file with resume, `conversion` turns it into
ONNX, and `fetching` joins them. `yolov9` and `rtdetr` define networks, which `checkpoint` fills.
"""
