//! Corta em mensagens os bytes que o servidor manda, mesmo quando ele não as separa.
//!
//! O nosso servidor termina cada mensagem com LF. Muitos de sala de aula não: mandam
//! `Estoque atual: 10` e mais nada, ou duas mensagens coladas
//! (`...restante: 0AVISO: O estoque acabou de esgotar!`). Aqui se aceitam todos:
//!
//! - um LF termina a mensagem, a não ser que seja uma compra sem o número: ele pode vir na linha seguinte;
//! - o começo de uma mensagem conhecida, no meio de um texto, termina a anterior
//!   ([`Mensagem::fim_da_primeira`]);
//! - sem nenhum dos dois, a mensagem termina quando o servidor se cala por [`SILENCIO`]; por
//!   [`SILENCIO_DA_METADE`], se ainda não diz nada que se entenda; ou por
//!   [`SILENCIO_DE_QUEM_SEPARA`], se ele já terminou com LF uma mensagem do protocolo: é provável que o desta
//!   ainda venha, mas há quem só termine com LF algumas das mensagens. O LF de uma saudação não conta: quem
//!   saúda com `print` muitas vezes responde com `send`;
//! - no fim da conexão, o que sobrou de quem separa linhas pode ter sido cortado no meio: só vale se é
//!   uma mensagem inteira sem número no fim ("restante: 1" pode ser o começo de "restante: 12").
//!
//! O instante de uma mensagem é o da chegada do último byte dela, não o do fim do silêncio. Entrega textos:
//! o que fazer com eles é de quem ouve. Não lê de socket nenhum e não olha o relógio.

use std::time::Duration;

use protocolo::Mensagem;

/// Quanto silêncio termina uma mensagem sem fim de linha. Um `send` de poucos bytes chega em um só
/// segmento.
pub const SILENCIO: Duration = Duration::from_millis(20);

/// O mesmo, do que parece só o começo: o algoritmo de Nagle segura o segundo `send` até a confirmação do
/// primeiro (RFC 9293, 3.7.4), que o Linux pode atrasar em 40 ms.
pub const SILENCIO_DA_METADE: Duration = Duration::from_millis(120);

/// O mesmo, de quem já mandou um LF: folga para um segmento perdido e retransmitido (RFC 6298: o
/// prazo mínimo é de 200 ms no Linux).
pub const SILENCIO_DE_QUEM_SEPARA: Duration = Duration::from_millis(500);

/// Em bytes. Uma mensagem maior é entregue como veio: um servidor que nunca a termina não ocupa a
/// memória do cliente.
const MENSAGEM_MAXIMA: usize = 4096;

/// O enquadrador de uma conexão.
#[derive(Debug, Default)]
pub struct Enquadrador {
    bytes: Vec<u8>,
    /// Quando chegou o último byte.
    chegou: Duration,
    /// O servidor já terminou com LF uma mensagem do protocolo, nesta conexão.
    separa_linhas: bool,
}

impl Enquadrador {
    /// Recebe bytes que chegaram em `agora` e entrega as mensagens que eles completam.
    pub fn receber(&mut self, agora: Duration, bytes: &[u8], mut entregar: impl FnMut(&[u8])) {
        self.bytes.extend_from_slice(bytes);
        self.chegou = agora;
        while let Some(fim) = fim_da_primeira(&self.bytes) {
            let texto = &self.bytes[..fim];
            self.separa_linhas |= texto.ends_with(b"\n") && do_protocolo(texto);
            entregar_texto(texto, &mut entregar);
            self.bytes.drain(..fim);
        }
    }

    /// Em que instante o que sobrou, se nada mais chegar, será uma mensagem inteira.
    pub fn fim_do_silencio(&self) -> Option<Duration> {
        if self.bytes.trim_ascii().is_empty() {
            return None;
        }
        let espera = if self.separa_linhas {
            SILENCIO_DE_QUEM_SEPARA
        } else if do_protocolo(&self.bytes) {
            SILENCIO
        } else {
            SILENCIO_DA_METADE
        };
        Some(self.chegou + espera)
    }

    /// O silêncio terminou: o que sobrou é uma mensagem, chegada no instante que a acompanha.
    pub fn calou(&mut self, mut entregar: impl FnMut(Duration, &[u8])) {
        let bytes = std::mem::take(&mut self.bytes);
        entregar_texto(&bytes, &mut |texto| entregar(self.chegou, texto));
    }

    /// A conexão terminou.
    pub fn fim(&mut self, entregar: impl FnMut(Duration, &[u8])) {
        let numero = self.bytes.trim_ascii().last().is_some_and(u8::is_ascii_digit);
        if !(self.separa_linhas && (numero || !do_protocolo(&self.bytes))) {
            self.calou(entregar);
        }
    }
}

/// É uma mensagem inteira do protocolo?
fn do_protocolo(texto: &[u8]) -> bool {
    use Mensagem::{CompraSemNumero, EstoqueSemNumero, Outra};
    !matches!(Mensagem::interpretar(texto), Outra(_) | CompraSemNumero(_) | EstoqueSemNumero(_))
}

/// Onde termina a primeira mensagem, se já se sabe: depois de um LF ou antes de outro começo.
fn fim_da_primeira(bytes: &[u8]) -> Option<usize> {
    let fim_da_linha = |de: usize| Some(de + bytes[de..].iter().position(|b| *b == b'\n')? + 1);
    let linha = fim_da_linha(0);
    let ate = linha.unwrap_or(bytes.len());
    Mensagem::fim_da_primeira(&bytes[..ate])
        .or_else(|| match linha {
            Some(fim) if falta_o_numero(&bytes[..fim]) => {
                let seguinte = fim_da_linha(fim)?;
                let juntas = Mensagem::interpretar(&bytes[..seguinte]);
                Some(if matches!(juntas, Mensagem::Compra { .. }) { seguinte } else { fim })
            }
            linha => linha,
        })
        .or((bytes.len() > MENSAGEM_MAXIMA).then_some(bytes.len()))
}

/// `Compra realizada.` em uma linha, e o estoque, talvez, na seguinte.
fn falta_o_numero(linha: &[u8]) -> bool {
    !linha.iter().any(u8::is_ascii_digit)
        && matches!(Mensagem::interpretar(linha), Mensagem::CompraSemNumero(_))
}

fn entregar_texto(bytes: &[u8], entregar: &mut impl FnMut(&[u8])) {
    // Quem manda o buffer inteiro deixa NUL antes da mensagem seguinte.
    let comeco = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    if !bytes[comeco..].trim_ascii().is_empty() {
        entregar(&bytes[comeco..]);
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use proptest::prelude::*;

    fn ouvir(pedacos: &[&[u8]]) -> (Vec<Mensagem>, Enquadrador) {
        let mut enquadrador = Enquadrador::default();
        let mut ouvidas = Vec::new();
        for pedaco in pedacos {
            enquadrador.receber(Duration::ZERO, pedaco, |m| ouvidas.push(Mensagem::interpretar(m)));
        }
        (ouvidas, enquadrador)
    }

    fn aviso() -> Mensagem {
        Mensagem::Aviso(protocolo::mensagem::AVISO.into())
    }

    #[test]
    fn linhas_inteiras_partidas_ou_varias_de_uma_vez() {
        let esperadas = vec![Mensagem::Estoque(10), Mensagem::Compra { restante: 9 }];
        let fluxo = b"Estoque atual: 10\nCompra realizada. Estoque restante: 9\r\n";
        assert_eq!(ouvir(&[fluxo]).0, esperadas);
        assert_eq!(ouvir(&[&fluxo[..5], &fluxo[5..30], &fluxo[30..]]).0, esperadas);
    }

    #[test]
    fn mensagens_coladas_sao_separadas() {
        let (ouvidas, mut enquadrador) =
            ouvir(&[b"Compra realizada. Estoque restante: 0AVISO: O estoque acabou de esgotar!"]);
        assert_eq!(ouvidas, [Mensagem::Compra { restante: 0 }]);
        let mut resto = Vec::new();
        enquadrador.calou(|_, m| resto.push(Mensagem::interpretar(m)));
        assert_eq!(resto, [aviso()]);
    }

    #[test]
    fn a_hora_antes_do_aviso_nao_entra_no_numero_de_quem_veio_antes() {
        let (ouvidas, mut enquadrador) =
            ouvir(&[b"Compra realizada. Estoque restante: 3[14:05:09] AVISO: acabou"]);
        assert_eq!(ouvidas, [Mensagem::Compra { restante: 3 }]);
        let mut resto = Vec::new();
        enquadrador.calou(|_, m| resto.push(Mensagem::interpretar(m)));
        assert_eq!(resto, [Mensagem::Aviso("[14:05:09] AVISO: acabou".into())]);
    }

    #[test]
    fn o_numero_da_compra_pode_vir_na_linha_seguinte() {
        let nove = [Mensagem::Compra { restante: 9 }];
        let duas: &[u8] = b"Compra realizada.\nEstoque restante: 9\n";
        assert_eq!(ouvir(&[duas]).0, nove);
        assert_eq!(ouvir(&[&duas[..18], &duas[18..25], &duas[25..]]).0, nove);
        let sem_numero = Mensagem::CompraSemNumero("Compra realizada.".into());
        assert_eq!(ouvir(&[b"Compra realizada.\nVolte sempre\n"]).0[0], sem_numero);
        assert_eq!(
            ouvir(&[b"Compra realizada.\nAVISO: acabou\n"]).0,
            [sem_numero, Mensagem::Aviso("AVISO: acabou".into())]
        );
    }

    #[test]
    fn o_fim_de_linha_de_uma_saudacao_nao_faz_esperar_o_das_respostas() {
        let (_, enquadrador) = ouvir(&[b"Bem-vindo!\nEstoque atual: 10"]);
        assert_eq!(enquadrador.fim_do_silencio(), Some(SILENCIO));
    }

    #[test]
    fn sem_fim_de_linha_o_silencio_termina_e_vale_a_hora_do_ultimo_byte() {
        let mut enquadrador = Enquadrador::default();
        let ms = Duration::from_millis;
        enquadrador.receber(ms(5), b"Estoque at", |m| panic!("{m:?}"));
        enquadrador.receber(ms(7), b"ual: 1", |m| panic!("{m:?}"));
        assert_eq!(enquadrador.fim_do_silencio(), Some(ms(7) + SILENCIO));
        enquadrador.calou(|quando, m| assert_eq!((quando, m), (ms(7), &b"Estoque atual: 1"[..])));
        assert_eq!(enquadrador.fim_do_silencio(), None);
    }

    #[test]
    fn o_que_ainda_nao_se_entende_tem_mais_tempo_para_terminar() {
        let (_, enquadrador) = ouvir(&[b"Compra realizada. Estoque restante: "]);
        assert_eq!(enquadrador.fim_do_silencio(), Some(SILENCIO_DA_METADE));
        let (_, enquadrador) = ouvir(&[b"Compra realizada. Estoque restante: ", b"9"]);
        assert_eq!(enquadrador.fim_do_silencio(), Some(SILENCIO));
    }

    #[test]
    fn quem_as_vezes_separa_linhas_so_demora_mais() {
        let (_, enquadrador) = ouvir(&[b"Estoque atual: 3\n", b"Estoque atual: 1"]);
        assert_eq!(enquadrador.fim_do_silencio(), Some(SILENCIO_DE_QUEM_SEPARA));
    }

    #[test]
    fn no_fim_da_conexao_um_pedaco_cortado_nao_e_resposta() {
        let ouvir_ate_o_fim = |pedacos: &[&[u8]]| {
            let (_, mut enquadrador) = ouvir(pedacos);
            let mut sobra = Vec::new();
            enquadrador.fim(|_, m| sobra.push(Mensagem::interpretar(m)));
            sobra
        };
        let cortada = b"Compra realizada. Estoque restante: 1";
        assert_eq!(ouvir_ate_o_fim(&[cortada]), [Mensagem::Compra { restante: 1 }]);
        assert_eq!(ouvir_ate_o_fim(&[b"Estoque atual: 12\n", cortada]), []);
        assert_eq!(
            ouvir_ate_o_fim(&[b"Estoque atual: 12\n", b"Compra realizada. Estoque rest"]),
            []
        );
        assert_eq!(
            ouvir_ate_o_fim(&[b"Estoque atual: 0\n", b"ERRO: Produto esgotado"]),
            [Mensagem::Esgotado]
        );
    }

    #[test]
    fn um_servidor_que_nunca_termina_nao_ocupa_a_memoria() {
        let (ouvidas, enquadrador) = ouvir(&[&[b'x'; 3000], &[b'x'; 3000]]);
        assert_eq!(ouvidas.len(), 1);
        assert!(enquadrador.bytes.is_empty());
    }

    proptest! {
        /// Sem fim de linha o último número pode continuar, e o corte importa; com LF, nunca.
        #[test]
        fn qualquer_corte_da_as_mesmas_mensagens(
            mensagens in proptest::collection::vec(0usize..5, 1..8),
            corte in any::<prop::sample::Index>(),
        ) {
            let textos = ["Estoque atual: 12", "Compra realizada. Estoque restante: 34",
                "ERRO: Produto esgotado", "AVISO: O estoque acabou de esgotar!", "oi"];
            let fluxo: String = mensagens.iter().map(|m| format!("{}\n", textos[*m])).collect();
            let (antes, depois) = fluxo.as_bytes().split_at(corte.index(fluxo.len()));
            let esperadas: Vec<Mensagem> =
                mensagens.iter().map(|m| Mensagem::interpretar(textos[*m].as_bytes())).collect();
            prop_assert_eq!(ouvir(&[antes, depois]).0, esperadas);
        }
    }
}
