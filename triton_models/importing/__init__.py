"""Import a user's ONNX classifier as a package: the user's graph inside a graph that meets the stream's contract.

A small description file (`description`) says what the graph expects: data type, layout, scale, frame. A labels file
(`class_list`) says what its classes mean. `wrapping` adds the preparation before the graph and the stream's three
outputs after it as ONNX nodes: nothing that serves the model depends on where it comes from.
"""
