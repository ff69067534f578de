"""What twolane's commands cost, beside other tools on the same databases: `invoke bench`."""
