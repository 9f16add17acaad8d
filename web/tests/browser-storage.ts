/** A storage as browsers have it: what is stored are its own enumerable names. */
export function storage(stored: Record<string, string> = {}): Storage {
  const methods = {
    getItem: (name: string) => stored[name] ?? null,
    setItem: (name: string, text: string) => Reflect.set(stored, name, text),
    removeItem: (name: string) => Reflect.deleteProperty(stored, name),
  };
  return new Proxy(stored, { get: (_, name) => Reflect.get(methods, name) ?? stored[String(name)] }) as never;
}
