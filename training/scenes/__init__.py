"""Render labelled composites whose truth is known to the pixel: cut-out animals in front of photographed or synthetic
backgrounds.

Composites serve tests, first experiments with a recipe, and comparisons of recipes; `uncia simulate` plays them as
camera stations. They do not estimate accuracy in the field: the same few cut-outs appear again and again, in front of
parts of the same few landscapes.
"""
