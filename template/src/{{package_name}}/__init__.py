"""The service. Its database models are in `db.schema`, its sessions in `db.session`."""
