"""Plays camera traps: bursts of photographs whose truth is known, made from photographs that scikit-image ships."""
