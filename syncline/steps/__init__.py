"""The way of a record: a file and one public function for each step."""
