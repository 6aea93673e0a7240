"""A head that distinguishes animal, person, vehicle and nothing, to complement a model that names kinds of animals.

The stock ImageNet classes cannot do that: a frame of stones and spines scores up to 0.5 as an animal. The head is
trained on windows with something in them and on empty windows of the same scenes. Its four classes join the kinds in
one label set, marked by their `group`; a class whose label equals its group stands for the whole group.
"""
