"""Taking alarms to a person: what is said, on which ways, and what has been said."""
