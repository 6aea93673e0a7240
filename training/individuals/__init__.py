"""Render synthetic individuals: coats that no two animals share, on bodies that bend, as cameras would see them.

- `coats`: a coat pattern for each flank, by reaction-diffusion;
- `bodies`: the outline of a cat and how it bends;
- `rendering`: one frame of an animal under given conditions;
- `population`: individuals, their encounters in space and time, and the frames of each.

They show whether a matcher works and let its stages be compared. They do not estimate accuracy in the field: the coats
are simpler than genuine ones, and every body has the same outline.
"""
