"""Operations that touch more than one domain."""
