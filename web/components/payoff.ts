/** Turns a payoff at expiry into a picture's coordinates. */

export interface PayoffPoint {
  price: number;
  profit: number;
}

/** Where prices and profits lie in a picture. */
export interface PayoffScale {
  width: number;
  height: number;
  /** Lowest and highest price that is shown. */
  prices: [number, number];
  profits: [number, number];
}

/** Give the scale that shows what is around a share's price: the shape beyond goes on as it is. */
export function payoffScale(points: readonly PayoffPoint[], spot: number, width: number, height: number): PayoffScale {
  const strikes = points.slice(1, -1).map(({ price }) => price);
  const reach = Math.max(...strikes.map((price) => Math.abs(price - spot)), spot * 0.1) * 1.15;
  const prices: [number, number] = [Math.max(0, spot - reach), spot + reach];
  const seen = [
    ...points.filter(({ price }) => price >= prices[0] && price <= prices[1]).map(({ profit }) => profit),
    profitAt(points, prices[0]),
    profitAt(points, prices[1]),
    0,
  ];
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  const room = (most - least) * 0.08 || 1;
  return { width, height, prices, profits: [least - room, most + room] };
}

/** Give the profit at a price, on the straight lines between the points; beyond the last point the last line goes on. */
export function profitAt(points: readonly PayoffPoint[], price: number): number {
  const found = points.findIndex((point) => point.price >= price);
  const after = Math.max(1, found < 0 ? points.length - 1 : found);
  const [left, right] = [points[after - 1], points[after]];
  if (!left || !right) return 0;
  if (right.price === left.price) return right.profit;
  return left.profit + ((right.profit - left.profit) * (price - left.price)) / (right.price - left.price);
}

export function x(scale: PayoffScale, price: number): number {
  const [low, high] = scale.prices;
  return ((price - low) / (high - low)) * scale.width;
}

export function y(scale: PayoffScale, profit: number): number {
  const [low, high] = scale.profits;
  return scale.height - ((profit - low) / (high - low)) * scale.height;
}

/** Give the line of the payoff as an SVG path, from edge to edge of the picture. */
export function payoffPath(points: readonly PayoffPoint[], scale: PayoffScale): string {
  const [low, high] = scale.prices;
  const inside = points.filter(({ price }) => price > low && price < high).map(({ price }) => price);
  const line = [low, ...inside, high].map(
    (price) => `${x(scale, price).toFixed(1)} ${y(scale, profitAt(points, price)).toFixed(1)}`,
  );
  return `M${line.join(" L")}`;
}
