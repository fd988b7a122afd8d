//! Encolher um roteiro que falha até sobrar o que importa.
//!
//! É o ddmin de Zeller e Hildebrandt ("Simplifying and Isolating Failure-Inducing Input", 2002) sem
//! os requintes: tira pedaços cada vez menores, e fica com o corte enquanto o *mesmo* invariante
//! falha. Aqui não se sabe o que é um evento.

/// O menor pedaço de `lista` que `ainda_falha`, tirando trechos e, por fim, um a um.
pub fn encolher<T: Clone>(lista: &[T], mut ainda_falha: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut menor = lista.to_vec();
    let mut trecho = menor.len().div_ceil(2);
    while trecho > 0 {
        let mut tirou = false;
        let mut inicio = 0;
        while inicio < menor.len() {
            let fim = (inicio + trecho).min(menor.len());
            let sem = [&menor[..inicio], &menor[fim..]].concat();
            if ainda_falha(&sem) {
                menor = sem;
                tirou = true;
            } else {
                inicio = fim;
            }
        }
        // De um em um, repete até nada mais sair: tirar um evento às vezes libera outro, anterior.
        if !(tirou && trecho == 1) {
            trecho /= 2;
        }
    }
    menor
}
