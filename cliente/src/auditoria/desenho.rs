//! O desenho de uma contradição no tempo: quem pediu o quê, o que ouviu, e de quando a quando, para um terminal
//! de [`COLUNAS`]. Só desenha; quem acha as contradições é [`crate::auditoria`], e o desenho das páginas está em
//! [`crate::relatorio::contradicao`].
//!
//! Barras que se cruzam são operações que estavam em curso juntas. Se falta lugar, quem encolhe é a barra, e
//! depois a linha se divide: os fatos aparecem inteiros.

use std::time::Duration;

use super::violacao::{CASAS, Leitura, Origem, Violacao};
use crate::tempo::instante;

/// A largura de um terminal comum, em colunas.
const COLUNAS: usize = 80;

/// A barra que se quer, e a menor que ainda mostra o que se cruza.
const BARRA: usize = 20;
const MENOR_BARRA: usize = 8;

/// Uma prova, com os textos que a acompanham.
pub(crate) struct Linha<'a> {
    leitura: &'a Leitura,
    pub(crate) quem: String,
    pub(crate) ouvido: String,
    pub(crate) quando: String,
}

impl<'a> Linha<'a> {
    pub(crate) fn de(leitura: &'a Leitura) -> Self {
        let (inicio, fim) = (leitura.inicio, leitura.fim);
        let quando = match instante(inicio, CASAS).strip_suffix(" s") {
            Some(desde) if inicio != fim => format!("{desde} a {}", instante(fim, CASAS)),
            _ => instante(fim, CASAS),
        };
        let quem = format!("usuário {}{}", leitura.usuario, leitura.servidor);
        Linha { leitura, quem, ouvido: leitura.ouvido(), quando }
    }

    pub(crate) fn pedido(&self) -> &'static str {
        self.leitura.pedido()
    }
}

/// Onde ficam os textos e a barra de cada prova: os textos se alinham entre as provas.
enum Disposicao {
    /// Tudo em uma linha, com uma barra desta largura.
    Uma(usize),
    /// A barra e os instantes na linha de baixo.
    Duas(usize),
    /// O mesmo, e o que se ouviu em uma linha só dele: é um número que só um servidor errado diz.
    Tres(usize),
}

/// As larguras das colunas de texto.
struct Larguras {
    quem: usize,
    pedido: usize,
    ouvido: usize,
    quando: usize,
}

impl Larguras {
    fn de(linhas: &[Linha<'_>]) -> Self {
        let maior =
            |texto: &dyn Fn(&Linha<'_>) -> usize| linhas.iter().map(texto).max().unwrap_or(0);
        Larguras {
            quem: maior(&|linha| letras(&linha.quem)),
            pedido: maior(&|linha| letras(linha.pedido())),
            ouvido: maior(&|linha| letras(&linha.ouvido)),
            quando: maior(&|linha| letras(&linha.quando)),
        }
    }

    fn disposicao(&self) -> Disposicao {
        let textos = 2 + self.quem + 1 + self.pedido + 1 + self.ouvido;
        // Um espaço de cada lado da barra.
        let ao_lado = COLUNAS.saturating_sub(textos + 1 + 1 + self.quando);
        let embaixo = COLUNAS.saturating_sub(4 + 1 + self.quando);
        if ao_lado >= MENOR_BARRA {
            Disposicao::Uma(ao_lado.min(BARRA))
        } else if textos <= COLUNAS {
            Disposicao::Duas(embaixo.min(2 * BARRA))
        } else {
            Disposicao::Tres(embaixo.min(2 * BARRA))
        }
    }
}

pub(crate) fn letras(texto: &str) -> usize {
    texto.chars().count()
}

impl Violacao {
    /// As provas no tempo, na ordem em que começaram, em linhas que cabem em um terminal.
    pub fn intercalacao(&self) -> String {
        let provas = self.no_tempo();
        let linhas: Vec<Linha<'_>> = provas.iter().map(Linha::de).collect();
        let larguras = Larguras::de(&linhas);
        let disposicao = larguras.disposicao();
        let periodo = Periodo::de(&provas);
        linhas.iter().map(|linha| escrever(linha, &larguras, &disposicao, periodo)).collect()
    }

    /// As mesmas linhas, em uma frase, para quem não vê o desenho.
    pub(crate) fn descricao(&self) -> String {
        let provas = self.no_tempo();
        let linha = |leitura: &Leitura| {
            let linha = Linha::de(leitura);
            let pedido = linha.pedido();
            let pediu = if pedido.is_empty() { "".into() } else { format!(" pediu {pedido}") };
            format!("{}{pediu}: {}, {}", linha.quem, linha.ouvido, linha.quando)
        };
        provas.iter().map(linha).collect::<Vec<_>>().join("; ")
    }

    /// As provas, na ordem em que começaram. O AVISO ninguém pediu: só se sabe quando chegou.
    pub(crate) fn no_tempo(&self) -> Vec<Leitura> {
        let mut provas = self.provas.clone();
        for aviso in provas.iter_mut().filter(|leitura| leitura.origem == Origem::Aviso) {
            aviso.inicio = aviso.fim;
        }
        provas.sort_by_key(|leitura| leitura.inicio);
        provas
    }
}

/// Do começo da primeira prova ao fim da última.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Periodo {
    comeco: Duration,
    fim: Duration,
}

impl Periodo {
    pub(crate) fn de(provas: &[Leitura]) -> Self {
        let comeco = provas.iter().map(|prova| prova.inicio).min().unwrap_or_default();
        let fim = provas.iter().map(|prova| prova.fim).max().unwrap_or_default();
        Periodo { comeco, fim }
    }

    pub(crate) fn duracao(self) -> f64 {
        self.fim.saturating_sub(self.comeco).as_secs_f64()
    }

    /// Onde cai `instante`, de 0 a `ultima`.
    pub(crate) fn posicao(self, instante: Duration, ultima: usize) -> usize {
        let fracao = instante.saturating_sub(self.comeco).as_secs_f64() / self.duracao();
        // Sem duração alguma a conta não é um número, e vira a posição zero.
        (fracao * ultima as f64).round() as usize
    }
}

fn escrever(
    linha: &Linha<'_>,
    larguras: &Larguras,
    disposicao: &Disposicao,
    periodo: Periodo,
) -> String {
    let Larguras { quem, pedido, ouvido, quando } = *larguras;
    let inicio = format!("  {:quem$} {:pedido$}", linha.quem, linha.pedido());
    let barra =
        |largura| format!("{} {:>quando$}", barra(linha.leitura, periodo, largura), linha.quando);
    match *disposicao {
        Disposicao::Uma(largura) => {
            format!("{inicio} {:ouvido$} {}\n", linha.ouvido, barra(largura))
        }
        Disposicao::Duas(largura) => {
            format!("{inicio} {}\n    {}\n", linha.ouvido, barra(largura))
        }
        Disposicao::Tres(largura) => {
            format!("{}\n    {}\n    {}\n", inicio.trim_end(), linha.ouvido, barra(largura))
        }
    }
}

fn barra(leitura: &Leitura, periodo: Periodo, largura: usize) -> String {
    let ultima = largura.saturating_sub(1);
    let [de, ate] = [leitura.inicio, leitura.fim].map(|quando| periodo.posicao(quando, ultima));
    let desenho = match ate.saturating_sub(de) {
        0 => "│".into(),
        passos => format!("├{}┤", "─".repeat(passos - 1)),
    };
    format!("{}{desenho}{}", " ".repeat(de), " ".repeat(ultima.saturating_sub(ate)))
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::auditoria::violacao::exemplos::{leitura, qualquer_leitura, violacao};
    use proptest::prelude::*;

    fn desenho(provas: &[Leitura]) -> String {
        violacao(provas).intercalacao()
    }

    #[test]
    fn as_provas_vem_na_ordem_em_que_comecaram_e_alinhadas() {
        let provas =
            [leitura(39, 23, 46, Origem::Consulta, 7), leitura(1, 0, 23, Origem::Venda, -1)];
        assert_eq!(
            desenho(&provas),
            "  usuário 1  COMPRAR   comprou, restaram -1 ├──────┤       0,000000 a 0,023000 s\n  \
             usuário 39 CONSULTAR leu 7                       ├─────┤ 0,023000 a 0,046000 s\n"
        );
    }

    #[test]
    fn o_aviso_e_um_instante_e_o_silencio_e_uma_espera() {
        // Ninguém pediu o AVISO: o começo dele não se desenha.
        let provas =
            [leitura(2, 0, 123, Origem::Aviso, 0), leitura(1, 100, 123, Origem::Recusa, 0)];
        assert_eq!(
            desenho(&provas),
            "  usuário 1 COMPRAR ouviu que esgotou ├──────────────────┤ 0,100000 a 0,123000 s\n  \
             usuário 2         recebeu o AVISO                      │            0,123000 s\n"
        );
        let provas = [leitura(2, 0, 23, Origem::Silencio, 0), leitura(1, 9, 10, Origem::Venda, 0)];
        assert_eq!(
            desenho(&provas),
            "  usuário 2         não recebeu o AVISO ├────────────────┤ 0,000000 a 0,023000 s\n  \
             usuário 1 COMPRAR comprou, restaram 0        │           0,009000 a 0,010000 s\n"
        );
    }

    #[test]
    fn o_que_nao_cabe_em_uma_linha_vai_em_duas_ou_tres() {
        let duas = [
            leitura(12345, 0, 23, Origem::Consulta, 7),
            leitura(1, 9, 23, Origem::Venda, -1234567),
        ];
        assert_eq!(
            desenho(&duas),
            "  usuário 12345 CONSULTAR leu 7\n    \
             ├──────────────────────────────────────┤ 0,000000 a 0,023000 s\n  \
             usuário 1     COMPRAR   comprou, restaram -1234567\n                   \
             ├───────────────────────┤ 0,009000 a 0,023000 s\n"
        );
        let tres = [leitura(usize::MAX, 1, 2, Origem::Venda, i128::MIN)];
        let linhas: Vec<String> = desenho(&tres).lines().map(|linha| linha.trim().into()).collect();
        assert_eq!(linhas[0], format!("usuário {} COMPRAR", usize::MAX));
        assert_eq!(linhas[1], format!("comprou, restaram {}", i128::MIN));
        assert!(linhas[2].ends_with("┤ 0,001000 a 0,002000 s"), "{linhas:?}");
    }

    #[test]
    fn provas_sem_duracao_ou_sem_provas_tambem_se_desenham() {
        let uma = violacao(&[leitura(1, 5, 5, Origem::Consulta, -1)]);
        let vazio = " ".repeat(BARRA);
        assert_eq!(
            uma.intercalacao(),
            format!("  usuário 1 CONSULTAR leu -1 │{}0,005000 s\n", vazio)
        );
        let nenhuma = violacao(&[]);
        assert_eq!(nenhuma.intercalacao(), "");
    }

    #[test]
    fn quem_nao_ve_o_desenho_ouve_as_mesmas_provas() {
        let provas =
            [leitura(2, 0, 123, Origem::Aviso, 0), leitura(1, 100, 123, Origem::Recusa, 0)];
        assert_eq!(
            violacao(&provas).descricao(),
            "usuário 1 pediu COMPRAR: ouviu que esgotou, 0,100000 a 0,123000 s; \
             usuário 2: recebeu o AVISO, 0,123000 s"
        );
    }

    proptest! {
        /// O desenho cabe no terminal, diga o servidor o que disser, e nenhum fato fica de fora.
        #[test]
        fn nada_passa_de_80_colunas_e_os_fatos_aparecem_inteiros(
            provas in proptest::collection::vec(qualquer_leitura(), 1..4),
        ) {
            let desenho = desenho(&provas);
            for linha in desenho.lines() {
                prop_assert!(letras(linha) <= COLUNAS, "{} em:\n{}", letras(linha), desenho);
            }
            for prova in &provas {
                for fato in [format!("usuário {}", prova.usuario), prova.ouvido(), instante(prova.fim, CASAS)] {
                    prop_assert!(desenho.contains(&fato), "falta '{}' em:\n{}", fato, desenho);
                }
            }
            prop_assert!(desenho.matches(['├', '│']).count() == provas.len(), "{}", desenho);
        }
    }
}
