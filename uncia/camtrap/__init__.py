"""Camera-trap data: names of stations and cameras, deployments, and tables as other tools write them."""
