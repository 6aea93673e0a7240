"""What every worker stands on: the Faust app, confirmed sends, dead letters, metrics, the process around them."""
