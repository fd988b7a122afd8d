//! Por que nenhuma ordem explica uma contradição, em palavras de quem estuda o assunto. Não acha contradições nem
//! as desenha.

use super::regra::{ESPERA_DO_AVISO, Regra};
use super::violacao::{Leitura, Origem, Violacao};
use crate::tempo::formatar;

impl Violacao {
    /// Por que nenhuma ordem das operações explica o que se viu.
    pub fn explicacao(&self) -> String {
        let [uma, resto @ ..] = self.provas.as_slice() else { return String::new() };
        let outra = resto.first();
        match self.regra {
            Regra::EstoqueNegativo => negativo(uma, outra),
            Regra::VendaRepetida => repetida(uma),
            Regra::EstoqueSubiu => outra.map_or_else(String::new, |antes| subiu(uma, antes)),
            Regra::ForaDoLivro => "O livro diz quantas unidades entraram e depois de quantas vendas: entre duas \
                 reposições o estoque só desce, um a cada venda. Em nenhum ponto dessa fila, que não viesse antes do \
                 que outros já tinham visto, o número é este. Se o extrato é de outro livro, ou de antes da última \
                 reposição, peça-o de novo."
                .into(),
            Regra::AcimaDoInicial { inicial } => format!(
                "O servidor abriu com {inicial} e ninguém repõe o estoque: em nenhum instante havia {}. Seja qual \
                 for o momento em que esta operação aconteceu, o número não é o do estoque.",
                uma.antes()
            ),
            Regra::VendeuDemais { inicial, vendas } => format!(
                "Cada venda leva uma unidade, e só havia {inicial}. A {inicial}ª venda deixa o estoque vazio; em \
                 qualquer ordem das {vendas}, as que vêm depois dela venderam o que não existia."
            ),
            Regra::UnidadeSumiu { restaria, .. } => format!(
                "O estoque desce uma unidade por venda. Para chegar ao que se leu aqui, alguém teria de fazer a venda \
                 que deixa {restaria}, e não há compra, nem pedido sem resposta, que possa tê-la feito a tempo: o \
                 contador desceu sem que ninguém comprasse."
            ),
            Regra::RecusaIndevida { restaria, .. } => format!(
                "\"Esgotado\" só é verdade com o estoque em 0. Até o fim desta operação, ninguém tinha feito a venda \
                 que deixa {restaria}, nem há pedido sem resposta que possa tê-la feito: em todo o intervalo ainda \
                 havia o que vender."
            ),
            Regra::DuasRespostas { .. } => "Um id compra no máximo uma vez, e a resposta dele é sempre a mesma, por quantas \
                 vezes se pergunte. Aqui a segunda disse outra coisa: ou o pedido se fez de novo, ou a primeira resposta \
                 não se guardou."
                .into(),
            Regra::AvisoRepetido => "O estoque esgota uma vez só, e cada conexão ouve um AVISO. Os dois chegaram à \
                 mesma conexão: um deles não anuncia esgotamento algum."
                .into(),
            Regra::AvisoAdiantado => adiantado(uma, outra),
            Regra::AvisoAtrasado { depois } => format!(
                "O AVISO é para sair assim que a última unidade é vendida. Entre o que já mostrava o esgotamento e a \
                 chegada dele passaram {}, muito mais do que uma mensagem demora.",
                formatar(depois)
            ),
            Regra::AvisoAQuemChegouDepois => "O AVISO é para quem estava conectado quando o estoque acabou. Esta \
                 conexão só foi pedida depois: não estava na lista naquele momento, e mesmo assim o recebeu."
                .into(),
            Regra::AvisoPerdido => format!(
                "Esta conexão já tinha sido respondida antes do esgotamento, e continuou aberta depois dele, à \
                 escuta. Esperou-se o prazo (no máximo {}), e o AVISO não veio: o servidor não o mandou a \
                 todos os que estavam conectados.",
                formatar(ESPERA_DO_AVISO)
            ),
        }
    }
}

fn negativo(uma: &Leitura, ultima: Option<&Leitura>) -> String {
    if uma.origem != Origem::Venda {
        return format!(
            "Um estoque não tem menos que zero unidades. Em nenhum instante do intervalo {} podia ser a resposta.",
            uma.valor
        );
    }
    let disputa = match ultima {
        Some(ultima) if ultima.usuario != uma.usuario && cruzam(uma, ultima) => {
            " As duas compras estavam em curso juntas: é o que se vê quando cada uma confere que há estoque antes que \
             a outra o desconte."
        }
        _ => "",
    };
    format!(
        "Para deixar {}, esta venda encontrou {}: não havia unidade alguma, e em qualquer ordem ela teria de ser \
         recusada.{disputa}",
        uma.valor,
        uma.antes()
    )
}

fn repetida(uma: &Leitura) -> String {
    let (antes, depois) = (uma.antes(), uma.valor);
    let segunda = match depois {
        ..=0 => "ser recusada".into(),
        _ => format!("deixar {}", depois.saturating_sub(1)),
    };
    format!(
        "As duas vendas dizem ter levado o estoque de {antes} a {depois}. Ponha uma antes da outra, em qualquer instante \
         dos intervalos: a primeira deixa {depois}, e a segunda teria de encontrar {depois} e {segunda}. Cada uma leu o \
         estoque antes que a outra o descontasse."
    )
}

/// `antes` terminou antes de `uma` começar.
fn subiu(uma: &Leitura, antes: &Leitura) -> String {
    let precisava = match uma.origem {
        Origem::Venda => {
            format!("a seguinte deixou {}, e para isso encontrou {}", uma.valor, uma.antes())
        }
        _ => format!("a seguinte leu {}", uma.valor),
    };
    format!(
        "Os intervalos não se cruzam: a operação do usuário {} terminou {} antes de a do usuário {} começar, e por isso \
         vem primeiro em qualquer ordem. Depois dela restavam no máximo {}, e {precisava}. \
         Um estoque que ninguém repõe não sobe.",
        antes.usuario,
        formatar(uma.inicio.saturating_sub(antes.fim)),
        uma.usuario,
        antes.valor,
    )
}

fn adiantado(aviso: &Leitura, havia: Option<&Leitura>) -> String {
    match havia {
        Some(havia) => format!(
            "O AVISO diz que o estoque chegou a 0. A operação do usuário {} só começou depois de ele chegar, e ainda \
             encontrou {}: quando o AVISO saiu, o estoque não tinha acabado.",
            havia.usuario,
            havia.antes()
        ),
        None => format!(
            "O AVISO diz que o estoque chegou a 0. Até ele chegar ao usuário {}, as vendas que houve não bastam para \
             esvaziá-lo: ainda havia o que vender.",
            aviso.usuario
        ),
    }
}

/// Estavam em curso ao mesmo tempo?
fn cruzam(uma: &Leitura, outra: &Leitura) -> bool {
    uma.inicio <= outra.fim && outra.inicio <= uma.fim
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::auditoria::violacao::exemplos::leitura;
    use std::time::Duration;

    fn explicacao(regra: Regra, provas: &[Leitura]) -> String {
        Violacao { regra, quando: Duration::ZERO, provas: provas.to_vec() }.explicacao()
    }

    #[test]
    fn a_venda_repetida_diz_o_que_a_segunda_teria_de_deixar() {
        let provas = [leitura(1, 0, 9, Origem::Venda, 3), leitura(2, 1, 8, Origem::Venda, 3)];
        let frase = explicacao(Regra::VendaRepetida, &provas);
        assert!(frase.contains("de 4 a 3"), "{frase}");
        assert!(frase.contains("encontrar 3 e deixar 2"), "{frase}");
        let ultima = leitura(1, 0, 9, Origem::Venda, 0);
        let frase = explicacao(Regra::VendaRepetida, &[ultima, ultima]);
        assert!(frase.contains("encontrar 0 e ser recusada"), "{frase}");
    }

    #[test]
    fn o_estoque_que_subiu_diz_quem_veio_antes_e_por_quanto() {
        let provas = [leitura(7, 20, 30, Origem::Venda, 5), leitura(2, 0, 8, Origem::Recusa, 0)];
        let frase = explicacao(Regra::EstoqueSubiu, &provas);
        assert!(frase.contains("a operação do usuário 2 terminou 12,0 ms antes"), "{frase}");
        assert!(
            frase.contains("no máximo 0, e a seguinte deixou 5, e para isso encontrou 6"),
            "{frase}"
        );
    }

    #[test]
    fn so_se_fala_em_disputa_se_as_compras_estavam_em_curso_juntas() {
        let negativa = leitura(1, 10, 20, Origem::Venda, -1);
        let frase = |ultima| explicacao(Regra::EstoqueNegativo, &[negativa, ultima]);
        assert!(frase(leitura(2, 9, 12, Origem::Venda, 0)).contains("em curso juntas"));
        assert!(!frase(leitura(2, 1, 2, Origem::Venda, 0)).contains("em curso juntas"));
    }

    #[test]
    fn toda_regra_se_explica_ainda_que_falte_uma_prova() {
        let (inicial, vendas, restaria, quantas) = (10, 12, 3, 1);
        let regras = [
            Regra::EstoqueNegativo,
            Regra::VendaRepetida,
            Regra::ForaDoLivro,
            Regra::AcimaDoInicial { inicial },
            Regra::VendeuDemais { inicial, vendas },
            Regra::UnidadeSumiu { restaria, quantas },
            Regra::RecusaIndevida { restaria, quantas },
            Regra::DuasRespostas { numero: 1 },
            Regra::AvisoRepetido,
            Regra::AvisoAdiantado,
            Regra::AvisoAtrasado { depois: Duration::from_secs(2) },
            Regra::AvisoAQuemChegouDepois,
            Regra::AvisoPerdido,
        ];
        for regra in regras {
            let frase = explicacao(regra, &[leitura(1, 0, 9, Origem::Venda, -3)]);
            assert!(frase.ends_with('.'), "{regra:?}: {frase}");
        }
        assert_eq!(explicacao(Regra::AvisoRepetido, &[]), "");
    }
}
