//! O que sai de uma linha vira um comando: total, nunca falha.
//!
//! Não sabe onde a linha começa nem termina; disso cuida [`crate::linhas`].

use crate::Linha;

const CONSULTAR: &[u8] = b"CONSULTAR";
const COMPRAR: &[u8] = b"COMPRAR";
const AJUDA: &[u8] = b"AJUDA";
const SAIR: &[u8] = b"SAIR";
const PEDIDO: &[u8] = b"PEDIDO";

/// Todos os verbos de uma palavra só; o outro é `PEDIDO`. É por esta lista que uma linha vira comando, e um teste confere que a ajuda e os
/// erros que ensinam falam de cada um: um verbo que falte aqui não existe, e um que falte lá não passa.
pub static VERBOS: [(&[u8], Comando); 4] = [
    (CONSULTAR, Comando::Consultar),
    (COMPRAR, Comando::Comprar),
    (AJUDA, Comando::Ajuda),
    (SAIR, Comando::Sair),
];

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
    /// Uma unidade, uma vez só por [`Id`]: repetido, tem a resposta da primeira vez.
    Pedido(Id),
    /// `PEDIDO` sem um [`Id`] que sirva. Guarda o mesmo que [`Comando::Desconhecido`].
    PedidoInvalido(Box<[u8]>),
    /// O começo de um pedido HTTP, de um navegador ou de quem o use para chegar até aqui. É preciso
    /// reconhecê-lo porque o corpo de um `POST` pode ser a linha `COMPRAR`. Guarda o mesmo que
    /// [`Comando::Desconhecido`].
    Http(Box<[u8]>),
    /// Um aperto de mãos do TLS: idem, e nem chega a ser uma linha.
    Tls,
    /// Uma linha que passou do limite.
    LinhaLonga,
    /// Qualquer outra coisa. Guarda o começo da linha, só para o registro poder mostrá-la.
    Desconhecido(Box<[u8]>),
}

/// O nome que quem compra dá a um pedido, para poder repeti-lo sem comprar duas vezes: de 1 a 64 caracteres ASCII
/// visíveis, sem espaços. Maiúsculas e minúsculas são diferentes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// O maior tamanho, em bytes.
    pub const MAIOR: usize = 64;

    /// O id que estes bytes são, se são um.
    pub fn ler(bytes: &[u8]) -> Option<Self> {
        let cabe = (1..=Self::MAIOR).contains(&bytes.len());
        let texto = str::from_utf8(bytes).ok()?;
        (cabe && bytes.iter().all(u8::is_ascii_graphic)).then(|| Id(texto.into()))
    }

    /// Como se escreve.
    pub fn texto(&self) -> &str {
        &self.0
    }
}

impl From<Linha<'_>> for Comando {
    fn from(linha: Linha<'_>) -> Self {
        match linha {
            Linha::Completa(bytes) => Comando::interpretar(bytes),
            Linha::LongaDemais => Comando::LinhaLonga,
            Linha::Tls => Comando::Tls,
        }
    }
}

impl Comando {
    /// Quantos bytes de um comando que não é nosso são guardados.
    pub const TRECHO: usize = 64;

    /// Interpreta uma linha já sem o fim de linha e sem brancos em volta, como [`crate::Linhas`] a
    /// entrega. Maiúsculas e minúsculas são iguais. Bytes que não são comando algum, de qualquer
    /// valor, dão [`Comando::Desconhecido`].
    ///
    /// Nenhum verbo novo pode começar com `CONSULTAR` ou `COMPRAR`: essas duas palavras valem
    /// mesmo sem fim de linha (regra 3 de [`crate::linhas`]).
    pub fn interpretar(linha: &[u8]) -> Self {
        let verbo = |nome: &[u8]| linha.eq_ignore_ascii_case(nome);
        if linha == COMPRAR {
            // Como quase todos escrevem: é uma comparação, e não sete.
            Comando::Comprar
        } else if let Some((_, nosso)) = VERBOS.iter().find(|(nome, _)| verbo(nome)) {
            nosso.clone()
        } else if let Some(id) = depois_de_pedido(linha).and_then(Id::ler) {
            Comando::Pedido(id)
        } else {
            let trecho = linha[..linha.len().min(Self::TRECHO)].into();
            match depois_de_pedido(linha) {
                _ if e_pedido_http(linha) => Comando::Http(trecho),
                Some(_) => Comando::PedidoInvalido(trecho),
                None => Comando::Desconhecido(trecho),
            }
        }
    }

    /// A resposta a este depende do estoque?
    pub fn usa_o_estoque(&self) -> bool {
        matches!(self, Comando::Consultar) || self.compra()
    }

    /// Este pede uma unidade?
    pub fn compra(&self) -> bool {
        matches!(self, Comando::Comprar | Comando::Pedido(_))
    }

    /// Depois deste, o cliente não é mais ouvido: responde-se, e a conexão fecha.
    pub fn e_o_ultimo(&self) -> bool {
        match self {
            Comando::Sair | Comando::Http(_) | Comando::Tls | Comando::LinhaLonga => true,
            Comando::Consultar | Comando::Comprar | Comando::Pedido(_) | Comando::Ajuda => false,
            Comando::PedidoInvalido(_) | Comando::Desconhecido(_) => false,
        }
    }

    /// O comando como se escreve na rede, sem o id que leve; de um que não é nosso, o trecho guardado, em bytes crus, ou o que
    /// se viu no lugar dele.
    pub fn nome(&self) -> &[u8] {
        match self {
            Comando::Consultar => CONSULTAR,
            Comando::Comprar => COMPRAR,
            Comando::Ajuda => AJUDA,
            Comando::Sair => SAIR,
            Comando::Pedido(_) => PEDIDO,
            Comando::Tls => b"(TLS)",
            Comando::LinhaLonga => b"(linha longa)",
            Comando::Http(trecho)
            | Comando::PedidoInvalido(trecho)
            | Comando::Desconhecido(trecho) => trecho,
        }
    }

    /// A linha é um dos nossos comandos, e não só parecida?
    pub(crate) fn e_nosso(linha: &[u8]) -> bool {
        VERBOS.iter().any(|(nome, _)| linha.eq_ignore_ascii_case(nome))
            || depois_de_pedido(linha).and_then(Id::ler).is_some()
    }

    /// As palavras que valem assim que chegam, sem esperar o fim de linha: o que os clientes de
    /// sala de aula mandam com `sendall("COMPRAR".encode())`.
    pub fn vale_sem_fim_de_linha(linha: &[u8]) -> bool {
        linha.eq_ignore_ascii_case(CONSULTAR) || linha.eq_ignore_ascii_case(COMPRAR)
    }
}

/// O que vem depois da palavra `PEDIDO` e dos brancos que a seguem; `None` se não é ela que abre a linha.
fn depois_de_pedido(linha: &[u8]) -> Option<&[u8]> {
    let (verbo, resto) = linha.split_at_checked(PEDIDO.len())?;
    let inteira = resto.first().is_none_or(u8::is_ascii_whitespace);
    (inteira && verbo.eq_ignore_ascii_case(PEDIDO)).then(|| resto.trim_ascii_start())
}

/// A linha acaba na versão do HTTP, como a primeira de todo pedido dele (RFC 9112, 3)? A do HTTP/2
/// sem TLS também acaba assim.
fn e_pedido_http(linha: &[u8]) -> bool {
    let ultima = linha.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    ultima.len() < linha.len() && ultima.starts_with(b"HTTP/")
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::Resposta;

    #[test]
    fn a_ajuda_e_os_erros_que_ensinam_falam_de_cada_verbo() {
        for (nome, comando) in &VERBOS {
            assert_eq!(Comando::interpretar(nome), *comando);
            assert_eq!(comando.nome(), *nome);
        }
        for nome in VERBOS.iter().map(|(nome, _)| *nome).chain([PEDIDO]) {
            let nome = str::from_utf8(nome).unwrap();
            for resposta in [Resposta::Ajuda, Resposta::Desconhecido, Resposta::OutroProtocolo] {
                let texto = resposta.to_string();
                let palavras = texto.split(|letra: char| !letra.is_alphanumeric());
                assert_eq!(palavras.filter(|palavra| *palavra == nome).count(), 1, "{texto}");
            }
        }
    }

    #[test]
    fn maiusculas_e_minusculas_sao_iguais() {
        assert_eq!(Comando::interpretar(b"CONSULTAR"), Comando::Consultar);
        assert_eq!(Comando::interpretar(b"comprar"), Comando::Comprar);
        assert_eq!(Comando::interpretar(b"Ajuda"), Comando::Ajuda);
        assert_eq!(Comando::interpretar(b"sAiR"), Comando::Sair);
    }

    #[test]
    fn o_resto_e_desconhecido_e_guarda_so_o_comeco() {
        for linha in [&b"COMPRAR 2"[..], b"COMPRA", b"CONSULTARX", b"\x00\xff", b"HTTP/1.1"] {
            assert_eq!(Comando::interpretar(linha), Comando::Desconhecido(linha.into()));
        }
        let longa = [b'x'; 500];
        assert_eq!(Comando::interpretar(&longa).nome(), &longa[..Comando::TRECHO]);
    }

    #[test]
    fn um_pedido_leva_um_id_e_so_o_verbo_nao_olha_maiusculas() {
        for linha in [&b"PEDIDO abC-1"[..], b"pedido abC-1", b"Pedido \t abC-1"] {
            assert_eq!(Comando::interpretar(linha), Comando::Pedido(Id("abC-1".into())));
        }
        let maior = [b"PEDIDO ", &[b'~'; Id::MAIOR][..]].concat();
        assert!(matches!(Comando::interpretar(&maior), Comando::Pedido(_)));
        assert_ne!(Comando::interpretar(b"PEDIDO a"), Comando::interpretar(b"PEDIDO A"));
        let demais = [&maior[..], b"~"].concat();
        for linha in [&b"PEDIDO"[..], b"PEDIDO a b", b"PEDIDO \xc3\xa1", b"PEDIDO a\x7f", &demais] {
            let esperado = linha[..linha.len().min(Comando::TRECHO)].into();
            assert_eq!(Comando::interpretar(linha), Comando::PedidoInvalido(esperado));
        }
        for linha in [&b"PEDIDOS a"[..], b"PEDIDOa", b"PEDI"] {
            assert_eq!(Comando::interpretar(linha), Comando::Desconhecido(linha.into()));
        }
        let http = &b"PEDIDO / HTTP/1.1"[..];
        assert_eq!(Comando::interpretar(http), Comando::Http(http.into()));
    }

    #[test]
    fn a_primeira_linha_de_um_pedido_http_e_reconhecida() {
        for linha in [
            &b"GET / HTTP/1.1"[..],
            b"POST /comprar?n=1 HTTP/1.0",
            b"PRI * HTTP/2.0",
            b"get / http/1.1 HTTP/1.1",
        ] {
            assert_eq!(Comando::interpretar(linha), Comando::Http(linha.into()));
        }
        let longa = [b"GET /", &[b'x'; 400][..], b" HTTP/1.1"].concat();
        assert_eq!(Comando::interpretar(&longa).nome(), &longa[..Comando::TRECHO]);
    }

    #[test]
    fn so_consultar_e_comprar_valem_sem_fim_de_linha() {
        assert!(Comando::vale_sem_fim_de_linha(b"CONSULTAR"));
        assert!(Comando::vale_sem_fim_de_linha(b"comprar"));
        for palavra in [&b"AJUDA"[..], b"SAIR", b"COMPRA", b"COMPRARX", b"PEDIDO a", b""] {
            assert!(!Comando::vale_sem_fim_de_linha(palavra));
        }
    }
}
