//! O que se mostra do texto de um desconhecido: basta o começo para reconhecê-lo, e só o que é visível.

use protocolo::mensagem::visivel;

/// O começo de um texto estranho, só com o que é visível: bastam estas letras para reconhecê-lo.
pub fn comeco(texto: &str) -> String {
    const LETRAS: usize = 200;
    visivel(texto).chars().take(LETRAS).collect()
}

/// O texto de um desconhecido entre aspas, cortado: o começo basta para reconhecê-lo. Já deve ser só o
/// visível.
pub fn citar(texto: &str) -> String {
    const LETRAS: usize = 60;
    match texto.char_indices().nth(LETRAS) {
        Some((corte, _)) => format!("'{}...'", &texto[..corte]),
        None => format!("'{texto}'"),
    }
}
