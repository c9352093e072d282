/** What queries hand out. On its own, so that it is known without DuckDB. */

/** A value of a feature; a list is an array. */
export type ColumnValue = Scalar | readonly Scalar[]

type Scalar = string | number | bigint | null
