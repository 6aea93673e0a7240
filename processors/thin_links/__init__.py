"""Requests whole photographs from gateways behind thin links."""
