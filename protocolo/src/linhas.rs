//! Bytes viram linhas: o enquadramento, com limite de memória.
//!
//! O TCP entrega uma sequência de bytes, não mensagens: um `COMPRAR` pode chegar em três pedaços, e
//! três comandos em um pedaço só. E os clientes de sala de aula mandam `COMPRAR` *sem* fim de linha
//! e ficam esperando a resposta. As regras que atendem a todos:
//!
//! 1. Uma linha termina em LF; um CR antes dele sai; brancos ASCII e NULs em volta saem.
//! 2. Uma linha vazia não tem resposta.
//! 3. Quando a fonte secou e o que sobrou é *exatamente* `CONSULTAR` ou `COMPRAR`, a palavra vale na
//!    hora. O fim de linha que chegar depois é só uma linha vazia.
//! 4. Um NUL também termina a linha se o que há antes dele é vazio, é um comando inteiro, ou acaba em
//!    outro NUL: é o que mandam os clientes em C, com `strlen + 1` ou com o buffer inteiro. Qualquer
//!    outro NUL no meio de uma linha é um byte como os outros.
//! 5. Qualquer outra coisa precisa do fim de linha.
//! 6. Uma linha tem no máximo [`LINHA_MAXIMA`] bytes; depois disso o fluxo está perdido.
//! 7. Uma linha que começa como um aperto de mãos do TLS não é texto: o fluxo também está perdido.
//! 8. No começo da conexão, uma negociação de telnet (RFC 854) e a marca de UTF-8 (BOM) não são texto:
//!    saem sem resposta.
//!
//! A regra 3 tem um preço, e só ele: se o TCP cortar `COMPRAR 2` logo depois do `R`, a compra vale e
//! ` 2` vira uma linha errada. Por isso nenhum verbo pode começar com aquelas duas palavras.
//!
//! Este módulo não interpreta comandos e não lê de lugar nenhum.

use memchr::memchr2;

use crate::{Comando, LINHA_MAXIMA};

/// O que sai do enquadramento.
#[derive(Debug, PartialEq, Eq)]
pub enum Linha<'a> {
    /// Uma linha não vazia, sem o fim e sem brancos em volta.
    Completa(&'a [u8]),
    /// A linha passou de [`LINHA_MAXIMA`]. É a última coisa que este fluxo entrega.
    LongaDemais,
    /// Do outro lado há quem fale TLS. Também é a última coisa: o resto são bytes cifrados, com um
    /// LF aqui e ali por acaso.
    Tls,
}

/// Como começa o primeiro registro de uma conexão TLS, de qualquer versão: um aperto de mãos (22),
/// da versão 3.alguma coisa (RFC 8446, 5.1).
const COMECO_DO_TLS: [u8; 2] = [22, 3];

/// O que mais chega: uma linha inteira, como quase todos a mandam.
const COMPRAR_INTEIRO: &[u8; 8] = b"COMPRAR\n";

/// Os bytes do telnet (RFC 854): o que anuncia um comando, e os que pedem algo depois dele.
const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;

/// A marca de UTF-8 que alguns programas põem na frente de todo texto.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Onde se está no começo da conexão, que acaba no primeiro byte de texto.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Abertura {
    /// Ainda não veio texto, e nada ficou pela metade.
    #[default]
    Comeco,
    /// Veio um IAC.
    Iac,
    /// Um WILL, WONT, DO ou DONT: falta dizer de que opção.
    Opcao,
    /// Dentro de uma subnegociação, que acaba em IAC SE.
    Sub,
    SubIac,
    /// Vieram tantos bytes da marca de UTF-8.
    Bom(u8),
    /// Daqui em diante, só texto.
    Texto,
}

/// O enquadramento de uma conexão. Guarda só a linha que ainda não terminou: uma conexão que manda
/// linhas inteiras não ocupa memória aqui.
#[derive(Debug, Default)]
pub struct Linhas {
    resto: Vec<u8>,
    abertura: Abertura,
    /// Quantos bytes a abertura já levou; passando de [`LINHA_MAXIMA`], o que vier é texto.
    pulados: u16,
    /// O que há em `resto` já saiu daqui inteiro.
    entregue: bool,
    perdido: bool,
}

impl Linhas {
    /// Quantas linhas `COMPRAR`, inteiras e uma atrás da outra, abrem estes bytes, até `maximo`; `bytes` passa a ser o
    /// que vem depois delas. É quase tudo o que chega de quem compra sem parar, e assim custa uma comparação cada.
    #[inline] // o crate que a chama é outro: sem isto, não se junta a quem a chama
    pub fn compras(&mut self, bytes: &mut &[u8], maximo: usize) -> usize {
        self.soltar_a_entregue();
        if self.abertura != Abertura::Texto || self.perdido || !self.resto.is_empty() {
            return 0;
        }
        let (inteiras, _) = bytes.as_chunks::<{ COMPRAR_INTEIRO.len() }>();
        let quantas =
            inteiras.iter().take(maximo).take_while(|linha| *linha == COMPRAR_INTEIRO).count();
        *bytes = &bytes[quantas * COMPRAR_INTEIRO.len()..];
        quantas
    }

    /// A próxima linha que estes bytes completam; `bytes` passa a ser o que vem depois dela. `None` quando
    /// não completam mais nenhuma: o que sobrou ficou guardado aqui, e os próximos bytes continuam dali.
    pub fn proxima<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Linha<'a>> {
        self.soltar_a_entregue();
        if self.abertura != Abertura::Texto {
            let eram = self.abrir(bytes);
            *bytes = &bytes[eram..];
        }
        while !self.perdido && !bytes.is_empty() {
            let fim = self.fim_da_linha(bytes);
            let pedaco = &bytes[..fim.unwrap_or(bytes.len())];
            if self.comeca_como_tls(pedaco) {
                return self.perder(bytes, Linha::Tls);
            }
            if !self.cabe(pedaco) {
                return self.perder(bytes, Linha::LongaDemais);
            }
            *bytes = &bytes[fim.map_or(bytes.len(), |fim| fim + 1)..];
            if fim.is_some() && self.resto.is_empty() {
                let linha = aparar(pedaco);
                if !linha.is_empty() {
                    return Some(Linha::Completa(linha));
                }
                continue;
            }
            self.resto.extend_from_slice(pedaco);
            if fim.is_some() {
                self.entregue = true;
                if aparar(&self.resto).is_empty() {
                    self.soltar_a_entregue();
                } else {
                    return Some(Linha::Completa(aparar(&self.resto)));
                }
            }
        }
        *bytes = &[];
        None
    }

    /// A fonte secou: se o que sobrou é uma palavra que vale sem fim de linha, é esta (regra 3), e depois
    /// dela não há outra.
    #[inline]
    pub fn secou(&mut self) -> Option<Linha<'_>> {
        self.soltar_a_entregue();
        if self.resto.is_empty() {
            return None;
        }
        self.entregue = Comando::vale_sem_fim_de_linha(aparar(&self.resto));
        self.entregue.then(|| Linha::Completa(aparar(&self.resto)))
    }

    /// A linha que saiu daqui já foi usada. A memória dela também se solta: quase todas as conexões estão
    /// paradas, e entre uma linha e outra não guardam nada.
    fn soltar_a_entregue(&mut self) {
        if std::mem::take(&mut self.entregue) {
            self.resto = Vec::new();
        }
    }

    /// Há uma linha começada e não terminada? Só brancos não contam: é o que sobra quando o fim de
    /// linha de uma palavra solta chega depois dela. Uma abertura pela metade conta.
    #[inline]
    pub fn incompleta(&self) -> bool {
        !matches!(self.abertura, Abertura::Comeco | Abertura::Texto) || !self.inacabada().is_empty()
    }

    /// O que há da linha que ainda não terminou, sem brancos em volta.
    #[inline]
    pub fn inacabada(&self) -> &[u8] {
        if self.entregue { &[] } else { aparar(&self.resto) }
    }

    /// Quantos bytes de memória há aqui.
    pub fn guardados(&self) -> usize {
        self.resto.capacity()
    }

    /// Passa pelo que não é texto no começo da conexão (regra 8); diz quantos bytes eram. O que
    /// parecia e não era volta a ser texto.
    fn abrir(&mut self, bytes: &[u8]) -> usize {
        use Abertura::{Bom, Comeco, Iac, Opcao, Sub, SubIac, Texto};
        for (i, &byte) in bytes.iter().enumerate() {
            let (seguinte, nao_era): (Abertura, &[u8]) = match (self.abertura, byte) {
                _ if usize::from(self.pulados) >= LINHA_MAXIMA => (Texto, &[]),
                (Comeco, IAC) => (Iac, &[]),
                (Comeco, byte) if byte == BOM[0] => (Bom(1), &[]),
                (Iac, SB) => (Sub, &[]),
                (Iac, 251..=254) => (Opcao, &[]),
                (Iac, SE..SB) | (Opcao, _) | (SubIac, SE) => (Comeco, &[]),
                (Iac, _) => (Texto, &[IAC]),
                (Sub, IAC) => (SubIac, &[]),
                (Sub | SubIac, _) => (Sub, &[]),
                (Bom(2), byte) if byte == BOM[2] => (Comeco, &[]),
                (Bom(vieram), byte) if byte == BOM[usize::from(vieram)] => (Bom(vieram + 1), &[]),
                (Bom(vieram), _) => (Texto, &BOM[..vieram.into()]),
                (Comeco | Texto, _) => (Texto, &[]),
            };
            self.abertura = seguinte;
            if seguinte == Texto {
                self.resto.extend_from_slice(nao_era);
                return i;
            }
            self.pulados += 1;
        }
        bytes.len()
    }

    /// Onde está o LF, ou o NUL que vale por ele (regra 4).
    fn fim_da_linha(&self, bytes: &[u8]) -> Option<usize> {
        let mut de = 0;
        loop {
            de += memchr2(b'\n', 0, &bytes[de..])? + 1;
            if bytes[de - 1] == b'\n' || self.o_nul_termina(&bytes[..de - 1]) {
                return Some(de - 1);
            }
        }
    }

    /// Com este pedaço antes dele, um NUL termina a linha?
    fn o_nul_termina(&self, pedaco: &[u8]) -> bool {
        if pedaco.last().or(self.resto.last()) == Some(&0) {
            return true;
        }
        let vale = |linha: &[u8]| linha.is_empty() || Comando::e_nosso(linha);
        match self.resto[..] {
            [] => vale(aparar(pedaco)),
            _ => vale(aparar(&[&self.resto, pedaco].concat())),
        }
    }

    /// Com este pedaço, a linha passa a começar como um aperto de mãos?
    fn comeca_como_tls(&self, pedaco: &[u8]) -> bool {
        match self.resto[..] {
            [] => pedaco.starts_with(&COMECO_DO_TLS),
            [unico] => unico == COMECO_DO_TLS[0] && pedaco.first() == Some(&COMECO_DO_TLS[1]),
            _ => false,
        }
    }

    /// Esta é a última: o que vier depois não tem onde começar.
    fn perder<'a>(&mut self, bytes: &mut &[u8], porque: Linha<'a>) -> Option<Linha<'a>> {
        self.perdido = true;
        self.resto = Vec::new();
        *bytes = &[];
        Some(porque)
    }

    /// O resto mais este pedaço ainda cabem em uma linha? Um CR no fim não conta: pode ser do CRLF.
    fn cabe(&self, pedaco: &[u8]) -> bool {
        let ultimo = pedaco.last().or(self.resto.last());
        let cr = usize::from(ultimo == Some(&b'\r'));
        self.resto.len() + pedaco.len() - cr <= LINHA_MAXIMA
    }
}

/// Sem os brancos, e os NULs, das pontas.
fn aparar(mut linha: &[u8]) -> &[u8] {
    let branco = |byte: u8| byte <= b' ' && (byte == 0 || byte.is_ascii_whitespace());
    while let [primeiro, resto @ ..] = linha
        && branco(*primeiro)
    {
        linha = resto;
    }
    while let [resto @ .., ultimo] = linha
        && branco(*ultimo)
    {
        linha = resto;
    }
    linha
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    /// Passa cada pedaço pelo enquadramento, secando a fonte entre um e outro, e anota o que saiu.
    fn enquadrar<'a>(pedacos: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut linhas = Linhas::default();
        let mut saida = Vec::new();
        for pedaco in pedacos {
            let mut anotar = |linha: Linha<'_>| {
                saida.push(match linha {
                    Linha::Completa(bytes) => bytes.escape_ascii().to_string(),
                    Linha::LongaDemais => "<longa>".into(),
                    Linha::Tls => "<tls>".into(),
                });
            };
            let mut bytes = pedaco;
            while let Some(linha) = linhas.proxima(&mut bytes) {
                anotar(linha);
            }
            while let Some(linha) = linhas.secou() {
                anotar(linha);
            }
        }
        saida
    }

    #[test]
    fn lf_crlf_brancos_e_linhas_vazias() {
        assert_eq!(
            enquadrar([&b"CONSULTAR\n\n \t \n  comprar \r\n\r\nAJUDA\r\n"[..]]),
            ["CONSULTAR", "comprar", "AJUDA"]
        );
    }

    #[test]
    fn a_palavra_solta_vale_na_hora_e_o_fim_de_linha_atrasado_e_vazio() {
        assert_eq!(enquadrar([&b"COMPRAR"[..]]), ["COMPRAR"]);
        assert_eq!(
            enquadrar([&b"COMPRAR"[..], b"\r\n", b"consultar\r", b"\n"]),
            ["COMPRAR", "consultar"]
        );
        assert_eq!(enquadrar([&b"COMPRAR"[..], b"COMPRAR"]), ["COMPRAR", "COMPRAR"]);
    }

    #[test]
    fn o_que_nao_e_exatamente_a_palavra_espera_o_fim_de_linha() {
        assert_eq!(enquadrar([&b"COMPR"[..], b"AR\n"]), ["COMPRAR"]);
        assert!(enquadrar([&b"AJUDA"[..]]).is_empty());
        assert!(enquadrar([&b"CONSULTARCOMPRAR"[..]]).is_empty());
    }

    #[test]
    fn o_limite_conta_a_linha_e_nao_o_seu_fim() {
        let cheia = "x".repeat(LINHA_MAXIMA);
        for fim in ["\n", "\r\n"] {
            assert_eq!(enquadrar([format!("{cheia}{fim}").as_bytes()]), [cheia.as_str()]);
            assert_eq!(enquadrar([format!("{cheia}y{fim}").as_bytes()]), ["<longa>"]);
        }
        // Sem fim de linha, avisa assim que passa, uma vez, e nada mais sai.
        assert_eq!(enquadrar([cheia.as_bytes(), b"y", b"\nCOMPRAR\n", b"COMPRAR"]), ["<longa>"]);
    }

    #[test]
    fn um_aperto_de_maos_do_tls_e_a_ultima_coisa() {
        let aperto = b"\x16\x03\x01\x02\x00\x01\n\x16\x03\nCOMPRAR\n";
        assert_eq!(enquadrar([&aperto[..]]), ["<tls>"]);
        assert_eq!(enquadrar([&b"CONSULTAR\n\x16"[..], &aperto[1..]]), ["CONSULTAR", "<tls>"]);
        // Só o começo de uma linha, e os dois bytes.
        assert_eq!(enquadrar([&b"\x16\n\x03\nx\x16\x03\n"[..]]), ["\\x16", "\\x03", "x\\x16\\x03"]);
    }

    #[test]
    fn o_nul_em_volta_de_uma_palavra_e_branco_e_o_buffer_inteiro_e_uma_palavra() {
        for palavra in ["CONSULTAR", "comprar", "AJUDA", "SAIR"] {
            assert_eq!(enquadrar([format!("{palavra}\0").as_bytes()]), [palavra]);
            assert_eq!(enquadrar([format!("\0 {palavra}\0\r\n").as_bytes()]), [palavra]);
            let mut buffer = palavra.as_bytes().to_vec();
            buffer.resize(1024, 0);
            assert_eq!(enquadrar([&buffer[..], &buffer]), [palavra, palavra]);
            assert_eq!(enquadrar([&buffer.repeat(3)[..]]), [palavra; 3]);
        }
        // Também o de uma palavra que não existe: quem a mandou ouve que errou.
        let mut buffer = b"COMPRAR 2".to_vec();
        buffer.resize(1024, 0);
        assert_eq!(enquadrar([&buffer[..]]), ["COMPRAR 2"]);
        // Um NUL só, no meio do que não é comando, não separa nada.
        assert_eq!(enquadrar([&b"CON\0SULTAR\n"[..], b"xyz\0", b"\n"]), ["CON\\x00SULTAR", "xyz"]);
    }

    #[test]
    fn a_negociacao_do_telnet_e_a_marca_de_utf8_no_comeco_nao_sao_texto() {
        let telnet = b"\xff\xfb\x1f\xff\xfd\x03\xff\xf1\xff\xfa\x1f\x00\x50\xff\xff\x18\xff\xf0";
        let bom = b"\xef\xbb\xbf";
        for comeco in [&telnet[..], bom, &[&telnet[..], bom].concat()] {
            assert_eq!(enquadrar([&[comeco, b"COMPRAR\n"].concat()[..]]), ["COMPRAR"]);
            assert_eq!(enquadrar([comeco, b"CONSULTAR"]), ["CONSULTAR"]);
        }
        // Só no começo, e só o que é mesmo aquilo.
        assert_eq!(enquadrar([&b"AJUDA\n\xff\xfb\x1fCOMPRAR\n"[..]])[1], "\\xff\\xfb\\x1fCOMPRAR");
        assert_eq!(enquadrar([&b"\xff"[..], b"\x00x\n"]), ["\\xff\\x00x"]);
        assert_eq!(enquadrar([&b"\xef\xbb"[..], b"x\n"]), ["\\xef\\xbbx"]);
        // Uma negociação que não acaba não é um esconderijo: passando do tamanho de uma linha, é texto.
        let sem_fim = [&b"\xff\xfa"[..], &[b'x'; 2 * LINHA_MAXIMA]].concat();
        assert_eq!(enquadrar([&sem_fim[..]]), ["<longa>"]);
        let mut linhas = Linhas::default();
        assert!(linhas.proxima(&mut &b"\xff\xfd"[..]).is_none() && linhas.incompleta());
    }

    #[test]
    fn so_a_linha_inacabada_ocupa_memoria() {
        let mut linhas = Linhas::default();
        let mut passar = |mut bytes: &[u8]| {
            while linhas.proxima(&mut bytes).is_some() {}
            while linhas.secou().is_some() {}
            (linhas.guardados() > 0, linhas.incompleta())
        };
        assert_eq!(passar(b"CONSULTAR\nCOMPRAR\n"), (false, false));
        assert_eq!(passar(b"AJU"), (true, true));
        assert_eq!(passar(b"DA"), (true, true));
        assert_eq!(passar(b"\n"), (false, false));
        assert_eq!(passar(b"COMPRAR"), (false, false));
        assert_eq!(passar(b" \r"), (true, false));
        assert_eq!(passar(&[b'x'; 100_000]), (false, false));
    }

    /// Linhas de toda sorte, menos as que começam com uma palavra que vale sozinha e continuam:
    /// para essas a regra 3 depende do corte, e a documentação do módulo o diz.
    fn linha_qualquer() -> impl Strategy<Value = Vec<u8>> {
        let texto = prop_oneof![
            Just(b"CONSULTAR".to_vec()),
            Just(b" comprar ".to_vec()),
            Just(b"AJUDA".to_vec()),
            Just(b"".to_vec()),
            Just(vec![b' '; 600]),
            Just(vec![b'z'; LINHA_MAXIMA]),
            Just(vec![b'z'; LINHA_MAXIMA + 1]),
            Just(b"\x16\x03\x01\x00".to_vec()),
            Just([&b"CONSULTAR"[..], &[0; 600]].concat()),
            Just(b"xyz\0\0AJUDA\0\xff\0".to_vec()),
            proptest::collection::vec(any::<u8>().prop_filter("LF", |b| *b != b'\n'), 0..40),
        ];
        let solta = |linha: &Vec<u8>| {
            let inicio = aparar(linha).to_ascii_uppercase();
            let sozinha = Comando::vale_sem_fim_de_linha(&inicio);
            sozinha || !(inicio.starts_with(b"CONSULTAR") || inicio.starts_with(b"COMPRAR"))
        };
        (
            texto.prop_filter("continua depois da palavra", solta),
            prop_oneof![Just("\n"), Just("\r\n")],
        )
            .prop_map(|(mut linha, fim)| {
                linha.extend_from_slice(fim.as_bytes());
                linha
            })
    }

    /// O que os programas põem na frente do texto, inteiro ou não.
    fn comeco_qualquer() -> impl Strategy<Value = Vec<u8>> {
        let pedaco = prop::sample::select(vec![
            &b"\xff\xfb\x1f"[..],
            b"\xff\xf1",
            b"\xff\xfa\x18\x00xterm\xff\xf0",
            b"\xef\xbb\xbf",
            b"\xff",
            b"\xef",
            b"\0",
        ]);
        proptest::collection::vec(pedaco, 0..4).prop_map(|pedacos| pedacos.concat())
    }

    proptest! {
        #[test]
        fn qualquer_corte_da_as_mesmas_linhas(
            linhas in proptest::collection::vec(linha_qualquer(), 0..12),
            cortes in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
            comeco in comeco_qualquer(),
        ) {
            let fluxo = [comeco, linhas.concat()].concat();
            let mut cortes: Vec<usize> = cortes.iter().map(|c| c.index(fluxo.len() + 1)).collect();
            cortes.extend([0, fluxo.len()]);
            cortes.sort_unstable();
            let pedacos = cortes.windows(2).map(|c| &fluxo[c[0]..c[1]]);
            prop_assert_eq!(enquadrar(pedacos), enquadrar([&fluxo[..]]));
        }
    }
}
