"""Compares Uncia with other ways to classify bursts: SynapseML on Spark, Bytewax on the same Kafka, and a plain loop.

All classify the same JPEGs with the same ONNX file, and average the scores of each burst.
"""
