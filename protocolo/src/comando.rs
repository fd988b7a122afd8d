//! Os bytes de uma linha viram um comando: total, nunca falha.
//!
//! Não sabe onde a linha começa nem termina; disso cuida [`crate::linhas`].

const CONSULTAR: &[u8] = b"CONSULTAR";
const COMPRAR: &[u8] = b"COMPRAR";
const AJUDA: &[u8] = b"AJUDA";
const SAIR: &[u8] = b"SAIR";

/// O que um cliente pede em uma linha (§3.2, mais `AJUDA` e `SAIR` para quem usa `nc`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comando {
    /// Quanto há no estoque?
    Consultar,
    /// Uma unidade, por favor.
    Comprar,
    /// Que comandos existem?
    Ajuda,
    /// Responde e fecha a conexão.
    Sair,
    /// Qualquer outra coisa. Guarda o começo da linha, só para o registro poder mostrá-la.
    Desconhecido(Box<[u8]>),
}

impl Comando {
    /// Quantos bytes de um comando desconhecido são guardados.
    pub const TRECHO: usize = 64;

    /// Interpreta uma linha já sem o fim de linha e sem brancos em volta, como [`crate::Linhas`] a
    /// entrega. Maiúsculas e minúsculas são iguais. Bytes que não são comando algum, de qualquer
    /// valor, dão [`Comando::Desconhecido`].
    ///
    /// Nenhum verbo novo pode começar com `CONSULTAR` ou `COMPRAR`: essas duas palavras valem
    /// mesmo sem fim de linha (regra 3 de [`crate::linhas`]).
    pub fn interpretar(linha: &[u8]) -> Self {
        let verbo = |nome: &[u8]| linha.eq_ignore_ascii_case(nome);
        if verbo(CONSULTAR) {
            Comando::Consultar
        } else if verbo(COMPRAR) {
            Comando::Comprar
        } else if verbo(AJUDA) {
            Comando::Ajuda
        } else if verbo(SAIR) {
            Comando::Sair
        } else {
            Comando::Desconhecido(linha[..linha.len().min(Self::TRECHO)].into())
        }
    }

    /// O comando como se escreve na rede; de um desconhecido, o trecho guardado, em bytes crus.
    pub fn nome(&self) -> &[u8] {
        match self {
            Comando::Consultar => CONSULTAR,
            Comando::Comprar => COMPRAR,
            Comando::Ajuda => AJUDA,
            Comando::Sair => SAIR,
            Comando::Desconhecido(trecho) => trecho,
        }
    }

    /// As palavras que valem assim que chegam, sem esperar o fim de linha: o que os clientes de
    /// sala de aula mandam com `sendall("COMPRAR".encode())`.
    pub fn vale_sem_fim_de_linha(linha: &[u8]) -> bool {
        linha.eq_ignore_ascii_case(CONSULTAR) || linha.eq_ignore_ascii_case(COMPRAR)
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn maiusculas_e_minusculas_sao_iguais() {
        assert_eq!(Comando::interpretar(b"CONSULTAR"), Comando::Consultar);
        assert_eq!(Comando::interpretar(b"comprar"), Comando::Comprar);
        assert_eq!(Comando::interpretar(b"Ajuda"), Comando::Ajuda);
        assert_eq!(Comando::interpretar(b"sAiR"), Comando::Sair);
    }

    #[test]
    fn o_resto_e_desconhecido_e_guarda_so_o_comeco() {
        for linha in [&b"COMPRAR 2"[..], b"COMPRA", b"CONSULTARX", b"\x00\xff", b"GET / HTTP/1.1"] {
            assert_eq!(Comando::interpretar(linha), Comando::Desconhecido(linha.into()));
        }
        let longa = [b'x'; 500];
        assert_eq!(Comando::interpretar(&longa).nome(), &longa[..Comando::TRECHO]);
    }

    #[test]
    fn so_consultar_e_comprar_valem_sem_fim_de_linha() {
        assert!(Comando::vale_sem_fim_de_linha(b"CONSULTAR"));
        assert!(Comando::vale_sem_fim_de_linha(b"comprar"));
        for palavra in [&b"AJUDA"[..], b"SAIR", b"COMPRA", b"COMPRARX", b""] {
            assert!(!Comando::vale_sem_fim_de_linha(palavra));
        }
    }
}
