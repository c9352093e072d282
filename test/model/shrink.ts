/**
 * Makes a failing list of thousands of steps short: leaves out ever smaller parts, as long as what remains fails
 * (delta debugging). fast-check's own shrinking of arrays goes from the front and is too slow at this length.
 */

/**
 * @param isFailing - tells whether these of the steps, by their positions, still fail; takes a while
 * @param isOver - tells whether there is no time for more
 * @returns positions of steps that fail; none of them can be left out alone, if there was time
 */
export async function shrunk(
  count: number,
  isFailing: (positions: readonly number[]) => Promise<boolean>,
  isOver: () => boolean,
): Promise<number[]> {
  let kept = Array.from({ length: count }, (_, i) => i)
  for (let part = Math.ceil(count / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    // From the end: what comes after the failing step goes first.
    let end = kept.length
    while (end > 0 && !isOver()) {
      const start = Math.max(0, end - part)
      const fewer = [...kept.slice(0, start), ...kept.slice(end)]
      if (await isFailing(fewer)) kept = fewer
      end = start
    }
  }
  return kept
}
