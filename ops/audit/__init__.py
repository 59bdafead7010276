"""`kennel audit`: who can assume the roles of this app, what each may do, and how the account differs from that."""
