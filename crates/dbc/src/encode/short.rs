//! A list that lives on the stack while it is short, so that encoding a frame allocates nothing.
//!
//! *Invariant:* elements keep their order; the heap is touched only beyond `N` of them.
//! *Next:* `given.rs` and `multiplex.rs` keep their work in these.

use alloc::vec::Vec;

/// A list of up to `N` elements on the stack, of more on the heap.
#[derive(Debug)]
pub(super) struct Short<T, const N: usize> {
    stack: [T; N],
    length: usize,
    /// Everything, once there are more than `N`.
    heap: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Short<T, N> {
    #[inline]
    pub(super) fn new() -> Self {
        Self { stack: [T::default(); N], length: 0, heap: Vec::new() }
    }

    /// A list of that many default elements.
    pub(super) fn filled(length: usize) -> Self {
        let heap = if length > N { alloc::vec![T::default(); length] } else { Vec::new() };
        Self { stack: [T::default(); N], length: length.min(N), heap }
    }

    #[inline]
    pub(super) fn push(&mut self, element: T) {
        if self.heap.is_empty()
            && let Some(slot) = self.stack.get_mut(self.length)
        {
            *slot = element;
            self.length += 1;
            return;
        }
        self.spill(element);
    }

    #[cold]
    fn spill(&mut self, element: T) {
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.stack);
        }
        self.heap.push(element);
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[T] {
        if self.heap.is_empty() { self.stack.get(..self.length).unwrap_or_default() } else { &self.heap }
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        if self.heap.is_empty() {
            self.stack.get_mut(..self.length).unwrap_or_default()
        } else {
            &mut self.heap
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_beyond_the_stack() {
        let mut list = Short::<u32, 4>::new();
        for at in 0..10 {
            assert_eq!(list.as_slice(), (0..at).collect::<Vec<_>>());
            list.push(at);
        }
        list.as_mut_slice().sort_unstable_by_key(|at| core::cmp::Reverse(*at));
        assert_eq!(list.as_slice().first(), Some(&9));
        assert_eq!(Short::<u8, 4>::filled(3).as_slice(), [0; 3]);
        assert_eq!(Short::<u8, 4>::filled(5).as_slice(), [0; 5]);
    }
}
