"""Words for random negatives: ordinary things, which have nothing to do with the target taxon.

Noise-contrastive estimation (Gutmann and Hyvärinen, AISTATS 2010) learns what a thing is from what it is not: a
classifier that has seen pianos and bridges learns the animal, and not the sharpness of a published photograph.
"""

from uncia.triton_models.recipes import imagenet

__all__ = ["thing_words"]


def thing_words() -> tuple[str, ...]:
    """The names of ImageNet's classes that are no animal, person or vehicle, sorted."""
    return tuple(sorted({entry.label for entry in imagenet.label_set().classes if entry.group == "nothing"}))
