"""Scenes that look like camera-trap photographs: modelled landscapes and a modelled cat, in daylight and in flash."""
