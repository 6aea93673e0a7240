"""A user's ONNX classifier becomes a package: his graph inside ours, which speaks the stream's contract.

What the graph wants (kind, layout, scale, frame) stands in a small file beside it (`description`); what its classes
mean in a labels file (`class_list`). `wrapping` puts the preparation in front of the graph and the stream's three
answers behind it, as ONNX nodes: nothing that serves knows that the model came from elsewhere.
"""
