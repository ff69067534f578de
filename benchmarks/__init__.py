"""`invoke bench`: time and memory of twolane's commands and of other tools, on equal databases."""
