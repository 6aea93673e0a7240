"""Reports on bursts: how one came about, and which count as events and independent detections."""
