"""What brings a ledger of an older version to the shape of `syncline/ledger/schema`, in order."""
