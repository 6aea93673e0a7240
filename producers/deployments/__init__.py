"""Deployments: where and when cameras stand, from a Camtrap DP `deployments.csv` onto their topic."""
