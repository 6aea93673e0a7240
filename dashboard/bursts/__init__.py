"""Reports on bursts: explanations of verdicts, events, and independent detections."""
