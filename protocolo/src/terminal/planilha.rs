//! O que se põe em uma planilha sem que ela o execute. Não escreve planilhas.

/// O campo, sem nada que uma planilha execute: o que vem de um cliente ou de uma entrega não pode ser uma fórmula. Uma
/// célula também começa depois de um `;`, em um Excel em português, e depois de uma tabulação ou de outra linha.
pub fn inofensivo(campo: &str) -> String {
    let mut saida = String::with_capacity(campo.len() + 1);
    let mut resto = campo;
    loop {
        let sem_aspas = resto.trim_start_matches('"');
        if sem_aspas.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            saida.push('\'');
        }
        let Some(fim) = resto.find([';', '\t', '\r', '\n']) else { break };
        let (celula, seguinte) = resto.split_at(fim + 1);
        saida.push_str(celula);
        resto = seguinte;
    }
    saida.push_str(resto);
    saida
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn nenhuma_celula_comeca_uma_formula_tambem_onde_o_separador_e_outro() {
        for (campo, esperado) in [
            ("=cmd()", "'=cmd()"),
            ("Ana;=cmd()", "Ana;'=cmd()"),
            ("Ana;\"=cmd()", "Ana;'\"=cmd()"),
            ("Ana\n@soma", "Ana\n'@soma"),
            ("make; ./servidor -p 1", "make; ./servidor -p 1"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(inofensivo(campo), esperado);
        }
    }
}
