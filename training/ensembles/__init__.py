"""Several answers to one question, combined: of views of a frame, of models, of the frames of a burst."""
