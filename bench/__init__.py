"""What dncd costs, beside what the same work costs without it."""
