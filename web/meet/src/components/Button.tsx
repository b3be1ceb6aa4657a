import type { ComponentProps } from 'react';
import css from './Button.module.css';

export interface ButtonProps extends ComponentProps<'button'> {
  kind?: 'primary' | 'plain' | 'quiet';
  wide?: boolean;
  /** Square, for an icon alone; give it an `aria-label`. */
  icon?: boolean;
}

export function Button({ kind = 'plain', wide, icon, className, ...rest }: ButtonProps) {
  const classes = [css.button, css[kind], wide && css.wide, icon && css.icon, className];
  return <button type="button" className={classes.filter(Boolean).join(' ')} {...rest} />;
}
