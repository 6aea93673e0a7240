"""The mailroom: receives photographs from cellular cameras that speak only FTP, FTPS and e-mail."""
