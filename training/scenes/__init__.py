"""Draws a labelled data set whose truth is known to the pixel: cut-out animals before photographed or made-up places.

For tests, for trying a recipe before the own photographs are sorted, for measuring one recipe against another. It is
no measure of the field: the same few cut-outs come again and again, before parts of the same few landscapes.
"""
