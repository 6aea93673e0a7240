"""Boxes for photographs that have labels only: proposed by several sources, cleaned, merged and written as COCO."""
