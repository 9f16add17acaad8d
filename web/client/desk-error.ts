/** What a request came to when it did not give what it was for. */
export class DeskError extends Error {
  /**
   * @param status HTTP status; 0 when nothing answered.
   * @param retryAfterSeconds What the desk asks to wait before the next try; 0 when it says nothing.
   */
  constructor(
    message: string,
    readonly status: number,
    readonly retryAfterSeconds = 0,
  ) {
    super(message);
  }

  /** Nobody answered, or a host that starts or stops: what is known already stays worth showing. */
  get isUnreachable(): boolean {
    return this.status === 0 || this.status >= 502;
  }

  /** Whoever calls is not known to the desk. */
  get isDenied(): boolean {
    return this.status === 401;
  }

  static async of(response: Response): Promise<DeskError> {
    const detail = await response.json().then(
      (problem: { detail?: string; errors?: { field: string; message: string }[] }) =>
        problem.errors?.length
          ? problem.errors.map((each) => `${each.field}: ${each.message}`).join("; ")
          : problem.detail,
      () => undefined,
    );
    const wait = Number(response.headers.get("retry-after")) || 0;
    return new DeskError(detail ?? `The desk answered ${response.status}`, response.status, wait);
  }
}
