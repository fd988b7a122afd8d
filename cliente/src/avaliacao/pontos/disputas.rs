//! Exclusão Mútua (§10): o que as disputas provam do estoque.

use std::time::Duration;

use protocolo::terminal::contar;

use super::comum::{COMPRA, conferencia, curto, outra_lingua};
use crate::auditoria::regra::Regra;
use crate::auditoria::veredito::Estoque;
use crate::avaliacao::boletim::Conferencia;
use crate::avaliacao::evidencias::{Conversa, Evidencias, Rodada, demora_tipica};
use crate::tempo::formatar;

/// A partir de quanto uma compra é lenta: uma que funciona leva milissegundos.
const LENTO: Duration = Duration::from_millis(50);

/// Exclusão Mútua, 4,0: "ausência de inconsistência no estoque". Vender a mais, dar o mesmo número a duas
/// compras ou descer abaixo de zero custa tudo, ainda que uma vez só; contradizer-se de outro modo, pelo
/// menos a metade; deixar compras sem resposta, a parte delas.
pub fn exclusao_mutua(vistas: &Evidencias, compradores: usize) -> Vec<Conferencia> {
    let rodadas = &vistas.rodadas;
    let compradores = rodadas.iter().map(|r| r.convidados).min().unwrap_or(compradores);
    let tentou = format!(
        "{} de {compradores} compradores, soltos juntos por uma barreira; a auditoria confere cada resposta",
        contar(rodadas.len(), "rodada", "rodadas")
    );
    let (fracao, mut viu) = match outra_lingua(vistas) {
        Some(porque) => (0.0, format!("não se prova: {porque}")),
        None => julgar_disputas(vistas),
    };
    if !vistas.conversa.numeros.is_empty() {
        viu.push_str(
            "; os números são sempre trocados do mesmo modo, e isso o Protocolo já cobrou",
        );
    }
    if vistas.extravio {
        viu.push_str("; as respostas foram para outros clientes (veja Protocolo)");
    }
    if fracao > 0.0 {
        viu.push_str("; que há um Lock, só o código mostra");
        viu.push_str(&lentidao(&vistas.conversa));
    }
    vec![conferencia(tentou, 4.0, fracao, viu)]
}

/// O que se conclui do estoque, e por quê.
pub fn estoque(vistas: &Evidencias) -> (Estoque, String) {
    if let Some(porque) = outra_lingua(vistas) {
        return (Estoque::SemVeredito, porque);
    }
    let (fracao, viu) = julgar_disputas(vistas);
    let contradiz = vistas.rodadas.iter().any(|rodada| !rodada.contradicoes.is_empty());
    match fracao {
        _ if contradiz => (Estoque::Inconsistente, viu),
        0.0 => (Estoque::SemVeredito, viu),
        _ => (Estoque::Consistente, viu),
    }
}

/// O que vale dizer e não vale nem custa pontos.
pub fn observacoes(vistas: &Evidencias, compradores: usize, rodadas: usize) -> Vec<String> {
    let mut observacoes = Vec::new();
    let depois_de = &vistas.conversa.fecha_depois_de;
    // Se fecha já depois de CONSULTAR, disse-o o item que perdeu pontos por isso.
    if !depois_de.is_empty() && !depois_de.contains(&"CONSULTAR") {
        let quais = depois_de.join(" e a ");
        observacoes.push(format!(
            "o servidor fecha a conexão depois de responder a {quais}; o §5 a mantém aberta, para repetir os \
             comandos e ouvir o AVISO. As provas conectaram de novo a cada vez"
        ));
    }
    let menos = vistas.rodadas.iter().any(|rodada| rodada.convidados < compradores);
    let disputadas = vistas.rodadas.iter().filter(|rodada| rodada.compradores > 1).count();
    if menos || (disputadas > 0 && disputadas == vistas.rodadas.len() && disputadas < rodadas) {
        let houve = contar(vistas.rodadas.len(), "rodada", "rodadas");
        let convidados = vistas.rodadas.iter().map(|r| r.convidados).min().unwrap_or(compradores);
        observacoes.push(format!(
            "o servidor é lento, e no tempo das disputas couberam {houve} de {convidados} compradores"
        ));
    }
    observacoes
}

/// Lento se diz que é, e não custa nada: o §10 não fala de pressa.
fn lentidao(conversa: &Conversa) -> String {
    let demora = demora_tipica(&conversa.compras).filter(|demora| *demora >= LENTO);
    demora
        .map(|demora| format!("; é lento: cada compra levou {}", formatar(demora)))
        .unwrap_or_default()
}

/// Que fração valem as disputas. Uma contradição é certa ainda que o resto da rodada não se entenda.
fn julgar_disputas(vistas: &Evidencias) -> (f64, String) {
    let rodadas = &vistas.rodadas;
    let todas = rodadas.len();
    let soma = |conta: fn(&Rodada) -> u64| rodadas.iter().map(conta).sum::<u64>();
    let erradas = rodadas.iter().filter(|r| !r.contradicoes.is_empty()).count();
    if rodadas.iter().any(|rodada| Defeito::GRAVES.iter().any(|grave| grave.houve(rodada))) {
        return (0.0, dizer_os_graves(rodadas));
    }
    if erradas > 0 {
        let fracao = 0.5 * (todas - erradas) as f64 / todas as f64;
        let quais = regras_violadas(rodadas);
        let em = em_rodadas(erradas, todas);
        return (fracao, format!("houve contradição {em}, sem vender a mais: {quais}"));
    }
    if todas == 0 || rodadas.iter().any(|rodada| rodada.compradores < 2) {
        return (0.0, "não se prova: nunca houve dois clientes atendidos ao mesmo tempo".into());
    }
    let (vendas, recusas) = (soma(|r| r.vendas), soma(|r| r.recusas));
    let (caladas, estranhas) = (soma(|r| r.sem_resposta), soma(|r| r.estranhas));
    if vendas == 0 && estranhas > 0 {
        return (0.0, format!("não se prova: nenhuma venda se entende{}", a_estranha(rodadas)));
    }
    if vendas + recusas == 0 {
        return (0.0, "não se prova: nenhuma compra teve resposta".into());
    }
    if vendas == 0 {
        return (0.0, format!("não se prova: {}", nada_vendido(vistas)));
    }
    let feitas = contar(vendas as usize, "venda", "vendas");
    let resumo = format!("{feitas} em {}", contar(todas, "rodada", "rodadas"));
    if caladas + estranhas > 0 {
        let entendidas = (vendas + recusas) as f64;
        let fracao = entendidas / (entendidas + (caladas + estranhas) as f64);
        let falta = o_que_faltou(caladas, estranhas, vistas);
        return (fracao, format!("{resumo} sem contradição, mas {falta}"));
    }
    (1.0, format!("{resumo}, nenhuma contradição"))
}

/// Por que nenhuma compra se fez, se todas foram recusadas.
fn nada_vendido(vistas: &Evidencias) -> String {
    match vistas.conversa.inicial {
        Some(1..) => "todas as compras foram recusadas, com o que vender".into(),
        _ => "nada havia a vender; feche o servidor, abra-o de novo e repita".into(),
    }
}

/// As compras que não se podem julgar.
fn o_que_faltou(caladas: u64, estranhas: u64, vistas: &Evidencias) -> String {
    let rodadas = &vistas.rodadas;
    let recusada = vistas.conversa.recusas.first();
    let porque = match recusada.is_some_and(|troca| troca.resposta.is_none()) {
        true => " (nem um cliente sozinho a tem, quando esgotou: veja Protocolo)",
        false => ": um Lock que ninguém soltou?",
    };
    let sem = |quantas: u64| {
        contar(quantas as usize, "compra ficou sem resposta", "compras ficaram sem resposta")
    };
    let outras = contar(
        estranhas as usize,
        "compra teve uma resposta que não se entende",
        "compras tiveram respostas que não se entendem",
    );
    match (caladas, estranhas) {
        (_, 0) => format!("{}{porque}", sem(caladas)),
        (0, _) => format!("{outras}{}", a_estranha(rodadas)),
        _ => format!("{} e {outras}{}", sem(caladas), a_estranha(rodadas)),
    }
}

/// A primeira resposta a COMPRAR que não se entendeu, ao lado da que se esperava.
fn a_estranha(rodadas: &[Rodada]) -> String {
    let primeira = rodadas.iter().find_map(|rodada| rodada.primeira_estranha.as_deref());
    primeira
        .map(|texto| format!(": esperava '{COMPRA}', e veio '{}'", curto(texto)))
        .unwrap_or_default()
}

/// Um defeito de estoque que custa o item inteiro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defeito {
    /// Mais vendas do que unidades.
    VendeuAMais,
    /// Um número abaixo de zero.
    Negativo,
    /// O mesmo número a duas compras.
    Repetido,
}

impl Defeito {
    /// Do mais grave ao menos.
    const GRAVES: [Self; 3] = [Self::VendeuAMais, Self::Negativo, Self::Repetido];

    fn houve(self, rodada: &Rodada) -> bool {
        let viola = |regra| rodada.contradicoes.iter().any(|violacao| violacao.regra == regra);
        match self {
            // Sem contradição, alguém pode ter reposto o estoque.
            Self::VendeuAMais => {
                let demais = rodada.havia.is_some_and(|havia| rodada.vendas > havia);
                demais && !rodada.contradicoes.is_empty()
            }
            Self::Negativo => viola(Regra::EstoqueNegativo),
            Self::Repetido => viola(Regra::VendaRepetida),
        }
    }
}

/// Os defeitos graves que se viram, cada um pelo nome dele; dos que são eco de outro na mesma rodada, só o
/// outro.
fn dizer_os_graves(rodadas: &[Rodada]) -> String {
    let primeiro = |rodada: &Rodada| Defeito::GRAVES.into_iter().find(|d| d.houve(rodada));
    let vendas = |rodadas: &[&Rodada]| rodadas.iter().map(|r| r.vendas).max().unwrap_or(0);
    let mut ditos = Vec::new();
    let mut conselho = "o Lock falta, ou não cobre juntos o teste e o desconto";
    for defeito in Defeito::GRAVES {
        let com: Vec<&Rodada> = rodadas.iter().filter(|r| primeiro(r) == Some(defeito)).collect();
        if com.is_empty() {
            continue;
        }
        let em = em_rodadas(com.len(), rodadas.len());
        let maximo = contar(vendas(&com) as usize, "venda", "vendas");
        ditos.push(match defeito {
            Defeito::VendeuAMais => format!("vendeu a mais {em} (na pior, {maximo})"),
            Defeito::Negativo => {
                format!("deixou o estoque negativo {em}, sem vender a mais ({maximo})")
            }
            Defeito::Repetido => {
                if ditos.is_empty() {
                    conselho =
                        "a resposta lê o estoque fora do Lock, ou o desconto de uma se perdeu";
                }
                format!("disse o mesmo número a duas compras {em}, sem vender a mais ({maximo})")
            }
        });
    }
    format!("{}: {conselho}", ditos.join("; "))
}

/// `em 2 de 20 rodadas`; se só houve uma, `na única rodada`.
fn em_rodadas(quantas: usize, todas: usize) -> String {
    match todas {
        1 => "na única rodada".into(),
        _ => format!("em {quantas} de {todas} rodadas"),
    }
}

/// O que se viu de errado, sem repetir, na ordem em que apareceu.
fn regras_violadas(rodadas: &[Rodada]) -> String {
    let mut nomes: Vec<&str> = Vec::new();
    for violacao in rodadas.iter().flat_map(|rodada| &rodada.contradicoes) {
        let nome = match violacao.regra {
            Regra::EstoqueSubiu => "o estoque subiu",
            Regra::AcimaDoInicial { .. } => "disse haver mais do que no começo",
            Regra::UnidadeSumiu { .. } => "uma unidade sumiu sem comprador",
            Regra::RecusaIndevida { .. } => "recusou com o que vender",
            _ => continue,
        };
        if !nomes.contains(&nome) {
            nomes.push(nome);
        }
    }
    nomes.join("; ")
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::avaliacao::pontos::exemplos::{certas, rodada, valem};

    /// O que se conclui destas disputas.
    fn exclusao(rodadas: Vec<Rodada>) -> Conferencia {
        exclusao_mutua(&Evidencias { rodadas, ..certas() }, 50).remove(0)
    }

    #[track_caller]
    fn conclui(rodadas: Vec<Rodada>, pontos: f64, frase: &str) {
        let conferencia = exclusao(rodadas);
        valem(std::slice::from_ref(&conferencia), &[pontos]);
        assert!(conferencia.viu.contains(frase), "{}", conferencia.viu);
    }

    #[test]
    fn cada_defeito_do_estoque_tem_o_seu_nome_e_o_seu_preco() {
        let limpa = || rodada(&[]);
        let sumiu = Regra::UnidadeSumiu { restaria: 3, quantas: 1 };
        let recusa = Regra::RecusaIndevida { restaria: 3, quantas: 1 };
        let casos: [(u64, &[Regra], f64, &str); 8] = [
            (10, &[], 4.0, "40 vendas em 4 rodadas, nenhuma contradição"),
            (
                10,
                &[Regra::VendaRepetida],
                0.0,
                "mesmo número a duas compras em 1 de 4 rodadas, sem vender a mais (10 vendas): a resposta lê",
            ),
            (
                11,
                &[Regra::VendaRepetida],
                0.0,
                "vendeu a mais em 1 de 4 rodadas (na pior, 11 vendas): o Lock falta",
            ),
            (
                10,
                &[Regra::EstoqueNegativo],
                0.0,
                "deixou o estoque negativo em 1 de 4 rodadas, sem vender a mais (10 vendas)",
            ),
            (10, &[sumiu, Regra::VendaRepetida], 0.0, "mesmo número a duas compras"),
            (
                10,
                &[Regra::EstoqueSubiu],
                1.5,
                "em 1 de 4 rodadas, sem vender a mais: o estoque subiu",
            ),
            (10, &[sumiu], 1.5, "sem vender a mais: uma unidade sumiu sem comprador"),
            (9, &[recusa], 1.5, "sem vender a mais: recusou com o que vender"),
        ];
        for (vendas, regras, pontos, frase) in casos {
            let errada = Rodada { vendas, ..rodada(regras) };
            conclui(vec![limpa(), limpa(), errada, limpa()], pontos, frase);
        }
        conclui(vec![rodada(&[sumiu])], 0.0, "na única rodada");
        let negativa = rodada(&[Regra::EstoqueNegativo]);
        let demais = Rodada { vendas: 12, ..rodada(&[Regra::VendaRepetida]) };
        let frase =
            "vendeu a mais em 2 de 3 rodadas (na pior, 12 vendas); deixou o estoque negativo em 1";
        conclui(vec![demais.clone(), negativa, demais], 0.0, frase);
    }

    #[test]
    fn vender_mais_do_que_se_leu_sem_contradizer_se_nao_e_defeito() {
        // Um servidor no ar pode ter sido abastecido por outro.
        conclui(vec![Rodada { vendas: 12, ..rodada(&[]) }], 4.0, "12 vendas em 1 rodada");
    }

    #[test]
    fn quem_tem_os_pontos_ouve_que_o_lock_so_o_codigo_mostra() {
        let ressalva = "que há um Lock, só o código mostra";
        conclui(vec![rodada(&[])], 4.0, ressalva);
        let sumiu = Regra::UnidadeSumiu { restaria: 3, quantas: 1 };
        conclui(vec![rodada(&[]), rodada(&[sumiu])], 1.0, ressalva);
        let repetida = exclusao(vec![rodada(&[Regra::VendaRepetida])]);
        assert!(!repetida.viu.contains(ressalva), "{}", repetida.viu);
    }

    #[test]
    fn lento_se_diz_que_e_e_nao_custa_nada() {
        let mut vistas = certas();
        for compra in &mut vistas.conversa.compras {
            compra.demora = Duration::from_millis(100);
        }
        let conferencias = exclusao_mutua(&vistas, 50);
        valem(&conferencias, &[4.0]);
        assert!(conferencias[0].viu.contains("cada compra levou 100 ms"), "{conferencias:?}");
        assert!(!exclusao(vec![rodada(&[])]).viu.contains("levou"));
    }

    #[test]
    fn o_que_nao_foi_disputado_nao_prova_a_exclusao() {
        let sozinho = Rodada { atendidos: 1, compradores: 1, ..rodada(&[]) };
        let mudos = Rodada { vendas: 0, recusas: 0, sem_resposta: 50, ..rodada(&[]) };
        let primeira_estranha = Some("Erro interno".into());
        let outra_lingua =
            Rodada { estranhas: 50, sem_resposta: 0, primeira_estranha, ..mudos.clone() };
        conclui(vec![sozinho], 0.0, "dois clientes atendidos ao mesmo tempo");
        conclui(vec![mudos], 0.0, "nenhuma compra teve resposta");
        let frase = format!("esperava '{COMPRA}', e veio 'Erro interno'");
        conclui(vec![outra_lingua], 0.0, &frase);
        let esgotado = Rodada { vendas: 0, ..rodada(&[]) };
        let recusas = "todas as compras foram recusadas, com o que vender";
        conclui(vec![esgotado.clone()], 0.0, recusas);
        let mut vistas = Evidencias { rodadas: vec![esgotado], ..certas() };
        vistas.conversa.inicial = Some(0);
        assert!(exclusao_mutua(&vistas, 50)[0].viu.contains("nada havia a vender"));
    }

    #[test]
    fn o_silencio_custa_a_parte_dele_e_nao_apaga_o_que_se_viu() {
        let caladas = Rodada { vendas: 10, recusas: 20, sem_resposta: 10, ..rodada(&[]) };
        conclui(vec![caladas.clone()], 3.0, "10 compras ficaram sem resposta");
        let uma = Rodada { recusas: 29, sem_resposta: 1, ..caladas.clone() };
        conclui(vec![uma], 3.9, "mas 1 compra ficou sem resposta");
        let primeira_estranha = Some("Hein?".into());
        let estranhas = Rodada { sem_resposta: 0, estranhas: 10, primeira_estranha, ..caladas };
        conclui(vec![estranhas], 3.0, "não se entendem: esperava");
        // Vendeu a mais e morreu: quase ninguém teve resposta, mas a contradição está lá.
        let morreu =
            Rodada { vendas: 12, recusas: 0, sem_resposta: 48, ..rodada(&[Regra::VendaRepetida]) };
        conclui(vec![rodada(&[]), morreu], 0.0, "vendeu a mais");
    }
}
